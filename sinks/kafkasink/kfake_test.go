//go:build !integration

package kafkasink_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// shared says whether the broker outlives the test, so that topics must be removed.
const shared = false

const histories = 40

func seeds(t testing.TB) []string {
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}
