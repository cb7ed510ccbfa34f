package sources_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noContext = context.Background()

func contextCancelled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(noContext)
	cancel()
	return ctx, cancel
}
