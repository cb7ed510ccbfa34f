//go:build integration

package kafkasink_test

import (
	"cmp"
	"os"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/kafka"
)

// shared says whether the broker outlives the test, so that topics must be removed.
const shared = true

const histories = 20

// seeds is a real broker, which must be running.
func seeds(testing.TB) []string {
	return strings.Split(cmp.Or(os.Getenv("MILLRACE_KAFKA"), "127.0.0.1:9092"), ",")
}

// aged is the broker; its id begins young.
func aged(t testing.TB, _ string) (*broker, kafka.Producer) {
	return connect(t, seeds(t)), kafka.NoProducer
}
