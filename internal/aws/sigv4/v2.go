package sigv4

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// S3 still takes the query signature that came before version 4, and boto3
// presigns with it unless it is told otherwise. The rules are those of
// "Signing and authenticating REST requests" in Amazon S3's guide.

// resourceKeys are the query parameters that the old signature covers.
var resourceKeys = map[string]bool{
	"accelerate": true, "acl": true, "analytics": true, "cors": true, "defaultObjectAcl": true, "delete": true,
	"inventory": true, "lifecycle": true, "location": true, "logging": true, "metrics": true, "notification": true,
	"object-lock": true, "partNumber": true, "policy": true, "replication": true, "requestPayment": true,
	"response-cache-control": true, "response-content-disposition": true, "response-content-encoding": true,
	"response-content-language": true, "response-content-type": true, "response-expires": true, "restore": true,
	"select": true, "select-type": true, "storageClass": true, "tagging": true, "torrent": true, "uploadId": true,
	"uploads": true, "versionId": true, "versioning": true, "versions": true, "website": true,
}

// isOldQuery reports whether a request carries the old query signature.
func isOldQuery(r *http.Request) bool {
	if !strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=") || r.Header.Get("Authorization") != "" {
		return false
	}
	q := r.URL.Query()
	return q.Has("Signature") && q.Has("Expires")
}

// verifyOldQuery checks the old query signature of a request to S3.
func (v *Verifier) verifyOldQuery(r *http.Request) (Identity, error) {
	q := r.URL.Query()
	expires, err := strconv.ParseInt(q.Get("Expires"), 10, 64)
	if err != nil || expires < 0 {
		return Identity{}, v.fault(MalformedQ, "Expires %.50q is not a time in seconds", q.Get("Expires"))
	}
	until := time.Unix(expires, 0)
	switch now := v.now(); {
	case !now.Before(until):
		return Identity{}, v.fault(PastDue, "the request could be used until %s", until.UTC().Format(time.RFC3339))
	case until.Sub(now) > longestLife+v.skew():
		return Identity{}, v.fault(MalformedQ, "the request may be used for at most %s", longestLife)
	}
	name := q.Get("AWSAccessKeyId")
	token := q.Get("x-amz-security-token")
	key, known, err := v.Keys.Key(r.Context(), name, token)
	if err != nil {
		return Identity{}, err
	}
	if !known {
		return Identity{}, v.fault(UnknownKey, "the access key %.50q is not known here", name)
	}
	if subtle.ConstantTimeCompare([]byte(key.Token), []byte(token)) != 1 {
		return Identity{}, v.fault(BadToken, "the session token is missing, or is not that of the access key")
	}
	if !key.Expires.IsZero() && !v.now().Before(key.Expires) {
		return Identity{}, v.fault(Expired, "the session ended at %s", key.Expires.UTC().Format(time.RFC3339))
	}
	mac := hmac.New(sha1.New, []byte(key.Secret))
	mac.Write([]byte(oldStringToSign(r, q)))
	want := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(want), []byte(q.Get("Signature"))) != 1 {
		return Identity{}, v.fault(Mismatch, "the signature is not that of this request under the secret of access key %.50q", name)
	}
	return Identity{AccessKey: name, Account: key.Account, ARN: key.ARN, Region: v.Region, Service: "s3", Role: key.Role}, nil
}

func oldStringToSign(r *http.Request, q url.Values) string {
	var b strings.Builder
	for _, line := range []string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), q.Get("Expires")} {
		b.WriteString(line + "\n")
	}
	amz := map[string]string{}
	for name, values := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			amz[lower] = strings.Join(values, ",")
		}
	}
	for name, values := range q { // where presigning puts what must be signed
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			amz[lower] = strings.Join(values, ",")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(amz)) {
		b.WriteString(name + ":" + strings.TrimSpace(amz[name]) + "\n")
	}
	b.WriteString(r.URL.EscapedPath())
	var parts []string
	for name, values := range q {
		if !resourceKeys[name] {
			continue
		}
		if values[0] == "" {
			parts = append(parts, name)
		} else {
			parts = append(parts, name+"="+values[0])
		}
	}
	if len(parts) > 0 {
		slices.Sort(parts)
		b.WriteString("?" + strings.Join(parts, "&"))
	}
	return b.String()
}
