//go:build !integration

package kafkasource_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func seeds(t testing.TB) []string {
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}
