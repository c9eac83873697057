package s3door

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/url"
	"strings"
	"time"
)

type xmlName = xml.Name

// namespace is that of all documents but errors.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// marshal writes a document. The type of v names the element; the namespace
// is added here, once, so that types stay free of it.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	data := b.Bytes()
	if _, isError := v.(errorDoc); isError {
		return data, nil
	}
	root := len(xml.Header) + bytes.IndexByte(data[len(xml.Header):], '>')
	return append(append(append([]byte{}, data[:root]...), ` xmlns="`+namespace+`"`...), data[root:]...), nil
}

// maxDocument is how many bytes a document in a request may have: enough for
// the longest list of parts or of keys to delete.
const maxDocument = 4 << 20

// document reads the request's body into v. An empty body leaves v as it is.
func (r *request) document(v any) error {
	data, err := io.ReadAll(io.LimitReader(r.body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(data) > maxDocument {
		return newError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	if err := r.checkDigests(data); err != nil {
		return err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return newError("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: "+err.Error())
	}
	return nil
}

// empty is a document without content.
type empty struct{ element string }

func (e empty) MarshalXML(enc *xml.Encoder, _ xml.StartElement) error {
	return enc.EncodeElement("", xml.StartElement{Name: xml.Name{Local: e.element}})
}

// stamp is a time as documents show it. S3 keeps whole seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// encodeURL is the encoding-type "url": a slash stays, and a space is %20,
// which clients decode whether or not they take a plus for one.
func encodeURL(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
}
