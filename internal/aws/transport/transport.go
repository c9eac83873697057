// Package transport mends how the AWS SDK sends requests.
package transport

import (
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// PlainBody returns a client that shows next nothing of a request's body but
// Read and Close.
//
// The SDK closes the body as soon as an answer begins. net/http may look for
// the body's end only after that, and by WriteTo if there is one, which the
// SDK's body then answers with io.EOF. net/http takes that for a failure and
// closes the connection in the middle of the answer; the SDK tells it as "use
// of closed network connection" and sends the request again, though it has
// been carried out. About one in a hundred answers above 10 KB of a server
// near by ends like that.
//
// A nil next, as a configuration has it that nobody gave a client, is the
// SDK's own.
func PlainBody(next aws.HTTPClient) aws.HTTPClient {
	if next == nil {
		next = awshttp.NewBuildableClient()
	}
	return plainBody{next}
}

type plainBody struct{ next aws.HTTPClient }

func (p plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context()) // a copy: the caller's stays as it is
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	began := time.Now()
	resp, err := p.next.Do(r)
	tell(r, began, resp, err)
	return resp, err
}
