package kafka

import (
	"strings"

	"github.com/rcrowley/go-metrics"
)

// noMetrics is a registry that measures nothing: sarama's own meters would start a goroutine that never ends. The
// library's global switch would turn off the meters of the whole program.
type noMetrics struct{}

var _ metrics.Registry = noMetrics{}

// GetOrRegister answers a maker of metrics with a metric of its kind that does nothing.
func (noMetrics) GetOrRegister(_ string, maker any) any {
	switch maker.(type) {
	case func() metrics.Counter:
		return metrics.NilCounter{}
	case func() metrics.Meter:
		return metrics.NilMeter{}
	case func() metrics.Histogram:
		return metrics.NilHistogram{}
	case func() metrics.Gauge:
		return metrics.NilGauge{}
	case func() metrics.Timer:
		return metrics.NilTimer{}
	}
	return maker
}

func (noMetrics) Each(func(string, any))            {}
func (noMetrics) Get(string) any                    { return nil }
func (noMetrics) GetAll() map[string]map[string]any { return nil }
func (noMetrics) Register(string, any) error        { return nil }
func (noMetrics) RunHealthchecks()                  {}
func (noMetrics) Unregister(string)                 {}
func (noMetrics) UnregisterAll()                    {}

// MuteFetches keeps sarama from starting a meter for the fetches of topic: while it measures how long a fetch request will
// be, it forgets the registry it was given and uses the process's own. A meter that does nothing is put there before.
func MuteFetches(topic string) {
	metrics.DefaultRegistry.GetOrRegister("consumer-fetch-rate-for-topic-"+strings.ReplaceAll(topic, ".", "_"), metrics.NilMeter{})
}
