package s3door

import "testing"

// TestEveryOperationHasAnAction keeps operations from being forgotten when
// they are added.
func TestEveryOperationHasAnAction(t *testing.T) {
	for name := range New(Config{}).ops {
		if _, ok := actions[name]; !ok {
			t.Errorf("operation %q needs no permission: name one in the table of actions", name)
		}
	}
}
