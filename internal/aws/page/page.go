// Package page makes the opaque tokens with which a list goes on where its
// last page ended. It knows neither the lists nor how they are sorted.
package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"fairlead/internal/flow"
)

const (
	version  = 1
	macLen   = 16
	maxToken = 4096
)

// Tokens seals and opens page tokens. A token is good only for the list that
// it was made for, and only while the key is the same.
type Tokens struct{ key []byte }

// New returns tokens under a secret key, which should outlive the process:
// clients keep tokens for as long as they like.
func New(key []byte) *Tokens { return &Tokens{key: key} }

// Seal returns a token that holds after, the sort key of the last item
// shown, for the list that op and args name. An empty after gives an empty
// token: there is no further page.
func (t *Tokens) Seal(after, op string, args ...string) string {
	if after == "" {
		return ""
	}
	token := append([]byte{version}, t.mac(after, op, args)...)
	return base64.RawURLEncoding.EncodeToString(append(token, after...))
}

// Open returns the sort key in a token from [Tokens.Seal] with the same op
// and args. An empty token begins at the front; any other that was not
// issued for this list is a [flow.Invalid] about NextToken.
func (t *Tokens) Open(token, op string, args ...string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	if len(token) <= maxToken {
		data, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err == nil && len(data) > 1+macLen && data[0] == version {
			after := string(data[1+macLen:])
			if hmac.Equal(data[1:1+macLen], t.mac(after, op, args)) {
				return after, nil
			}
		}
	}
	const text = "is not a token that this list has returned; begin again without one"
	return "", flow.Errorf(flow.Invalid, "NextToken %s", text).At("NextToken", text)
}

// mac authenticates after together with the list it belongs to.
func (t *Tokens) mac(after, op string, args []string) []byte {
	h := hmac.New(sha256.New, t.key)
	for _, s := range append([]string{after, op}, args...) {
		// The length keeps ("ab", "c") apart from ("a", "bc").
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return h.Sum(nil)[:macLen]
}
