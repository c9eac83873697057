package transport

import (
	"context"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
)

// A Call is one request to AWS, of which an operation may need several.
type Call struct {
	Service, Operation string
	Began, Ended       time.Time
	Status             int // 0 without an answer
	Err                error
}

type watchKey struct{}

// WithWatch returns a context whose requests by clients of PlainBody are told
// when their answers begin. told must not block.
func WithWatch(ctx context.Context, told func(Call)) context.Context {
	return context.WithValue(ctx, watchKey{}, told)
}

// tell tells of a request, if anybody wants to know.
func tell(r *http.Request, began time.Time, resp *http.Response, err error) {
	told, ok := r.Context().Value(watchKey{}).(func(Call))
	if !ok {
		return
	}
	ctx := r.Context()
	c := Call{
		Service: awsmiddleware.GetServiceID(ctx), Operation: awsmiddleware.GetOperationName(ctx), Began: began, Ended: time.Now(), Err: err,
	}
	if resp != nil {
		c.Status = resp.StatusCode
	}
	told(c)
}
