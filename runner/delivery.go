package runner

import (
	"errors"
	"flag"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/sinks/kafkasink"
)

// registerDelivery declares the flags that say how the output topic is written.
func (k *Kafka) registerDelivery(fs *flag.FlagSet) {
	fs.TextVar(&k.delivery, "delivery-guarantee", delivery{}, "of the output topic: exactly-once, in transactions, or at-least-once, without; default: "+
		"exactly-once when that of the state is. Brokers before Kafka 3.0 and users without rights on transactional ids need at-least-once")
	fs.StringVar(&k.transactionalIDPrefix, "transactional-id-prefix", "", "`PREFIX` of the transactional ids, which go on with lineage, operator and task; default: millrace")
	fs.DurationVar(&k.transactionTimeout, "transaction-timeout", 0, "how long the brokers keep a transaction open: longer than the job may be away; "+
		"0 for 15m, the most that brokers allow unless told otherwise")
}

// guarantee is that of the output of a job with these options.
func (k *Kafka) guarantee(o *Options) (kafkasink.Guarantee, error) {
	exact := millrace.Guarantee(o.guarantee) == millrace.ExactlyOnce
	switch {
	case !k.delivery.given && exact:
		return kafkasink.ExactlyOnce, nil
	case k.delivery.Guarantee == kafkasink.ExactlyOnce && !exact:
		return 0, errors.New("--delivery-guarantee exactly-once needs --guarantee exactly-once: what is counted twice is written twice")
	}
	return k.delivery.Guarantee, nil
}

// delivery is a kafkasink.Guarantee as a flag; the empty text is none.
type delivery struct {
	kafkasink.Guarantee
	given bool
}

// MarshalText implements encoding.TextMarshaler.
func (d delivery) MarshalText() ([]byte, error) {
	if !d.given {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *delivery) UnmarshalText(text []byte) error {
	for _, x := range []kafkasink.Guarantee{kafkasink.AtLeastOnce, kafkasink.ExactlyOnce} {
		if string(text) == x.String() {
			*d = delivery{x, true}
			return nil
		}
	}
	return errors.New("want exactly-once or at-least-once")
}
