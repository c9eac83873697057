package operator

import "testing"

func TestPlaceOfCalls(t *testing.T) {
	o := &Operators{set: Settings{Endpoint: "http://here", Region: "us-east-1"}}
	for _, tt := range []struct {
		name string
		env  map[string]string
		want place
	}{
		{"nothing said", nil, place{"http://here", "us-east-1"}},
		{"AWS itself", map[string]string{"AWS_ENDPOINT_URL": ""}, place{"", "us-east-1"}},
		{"elsewhere", map[string]string{"AWS_ENDPOINT_URL": "http://there"}, place{"http://there", "us-east-1"}},
		{"for S3", map[string]string{"AWS_ENDPOINT_URL_S3": "http://s3", "AWS_ENDPOINT_URL": ""}, place{"http://s3", "us-east-1"}},
	} {
		if got := o.place(Call{Env: tt.env}); got != tt.want {
			t.Errorf("%s: calls go to %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
