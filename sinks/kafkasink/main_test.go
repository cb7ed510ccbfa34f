// The tests of this package run against kfake, a broker in this process, and with -tags integration against a real one
// (make kafka). kfake is a model of Kafka: what passes on it proves nothing about transactions on a real broker.
package kafkasink_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
