package runner

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/codec"
	"github.com/millrace-io/millrace/sinks/kafkasink"
	"github.com/millrace-io/millrace/sources/kafkasource"
)

// PasswordEnv is the environment variable that holds the SASL password; --sasl-password-file is the other way to give it.
const PasswordEnv = "MILLRACE_SASL_PASSWORD"

// Kafka is the flags of a topology that can read or write Kafka, and what they say once they are parsed.
type Kafka struct {
	brokers, topics, to, from string
	bounded                   bool
	useTLS                    bool
	tlsCA                     string
	mechanism, user, file     string
	delivery                  delivery
	transactionalIDPrefix     string
	transactionTimeout        time.Duration
}

// kafkaFlags are the names that RegisterKafka declares, for the help text.
var kafkaFlags = map[string]bool{
	"brokers": true, "topic": true, "to": true, "from": true, "until-end": true,
	"tls": true, "tls-ca": true, "sasl-mechanism": true, "sasl-user": true, "sasl-password-file": true,
	"delivery-guarantee": true, "transactional-id-prefix": true, "transaction-timeout": true,
}

// RegisterKafka declares the flags of Kafka.
func RegisterKafka(fs *flag.FlagSet) *Kafka {
	k := &Kafka{}
	fs.StringVar(&k.brokers, "brokers", "", "some brokers, `HOST:PORT,…`; the others are found through them")
	fs.StringVar(&k.topics, "topic", "", "input `TOPIC,…`")
	fs.StringVar(&k.to, "to", "", "output `TOPIC`")
	fs.StringVar(&k.from, "from", "earliest", "`WHERE` a first run begins: earliest, latest, a time as 2026-11-21T10:00:00Z, or offsets as TOPIC/0:15,TOPIC/1:7; "+
		"a later run goes on from its checkpoint")
	fs.BoolVar(&k.bounded, "until-end", false, "end at the records that were there at the first start")
	fs.BoolVar(&k.useTLS, "tls", false, "connect with TLS")
	fs.StringVar(&k.tlsCA, "tls-ca", "", "`FILE` with the brokers' authority, PEM; default: the system's authorities")
	fs.StringVar(&k.mechanism, "sasl-mechanism", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	fs.StringVar(&k.user, "sasl-user", "", "who connects; the password is taken from the environment variable "+PasswordEnv+" or a file")
	fs.StringVar(&k.file, "sasl-password-file", "", "`FILE` that holds the password")
	k.registerDelivery(fs)
	return k
}

// Given says whether brokers were named: a topology that can do without Kafka asks.
func (k *Kafka) Given() bool { return k.brokers != "" }

// Bounded says whether the input ends by itself.
func (k *Kafka) Bounded() bool { return k.bounded }

// To is the output topic, "" for none.
func (k *Kafka) To() string { return k.to }

// Topics are the input topics.
func (k *Kafka) Topics() []string { return list(k.topics) }

// Need reports the flags that a topology which cannot do without Kafka misses.
func (k *Kafka) Need() error {
	var errs []error
	for _, f := range []struct{ value, remedy string }{
		{k.brokers, "no brokers: give --brokers HOST:PORT"},
		{k.topics, "no input topic: give --topic TOPIC"},
		{k.to, "no output topic: give --to TOPIC"},
	} {
		if f.value == "" {
			errs = append(errs, errors.New(f.remedy))
		}
	}
	return errors.Join(errs...)
}

// Unused reports flags that were given without the brokers they are about.
func (k *Kafka) Unused() error {
	if !k.Given() && (k.topics != "" || k.to != "") {
		return errors.New("--topic and --to need the brokers: give --brokers HOST:PORT")
	}
	return nil
}

// SourceConfig is the configuration of a source of topics.
func (k *Kafka) SourceConfig(topics ...string) (kafkasource.Config, error) {
	start, err := k.start(topics)
	security, cause := k.tls()
	password, problem := k.password()
	if len(topics) == 0 {
		err = errors.Join(err, errors.New("no input topic: give --topic TOPIC"))
	}
	return kafkasource.Config{
		Brokers: list(k.brokers), Topics: topics, Start: start, Bounded: k.bounded, TLS: security,
		SASL: kafkasource.SASL{Mechanism: k.mechanism, User: k.user, Password: password},
	}, errors.Join(err, cause, problem)
}

// Messages is a source of the whole records of topics.
func (k *Kafka) Messages(topics ...string) (*kafkasource.Source[kafkasource.Message], error) {
	cfg, err := k.SourceConfig(topics...)
	return kafkasource.Messages(cfg), err
}

// Values is a source of the values of the records of topics.
func (k *Kafka) Values[T any](c codec.Codec[T], topics ...string) (*kafkasource.Source[T], error) {
	cfg, err := k.SourceConfig(topics...)
	return kafkasource.New(cfg, c), err
}

// SinkConfig is the configuration of a sink to the output topic, of a job with these options. Unless the flags say otherwise its output is
// exactly-once when the job's state is.
func (k *Kafka) SinkConfig(o *Options) (kafkasink.Config, error) {
	security, err := k.tls()
	password, cause := k.password()
	guarantee, problem := k.guarantee(o)
	if k.to == "" {
		err = errors.Join(err, errors.New("no output topic: give --to TOPIC"))
	}
	return kafkasink.Config{
		Brokers: list(k.brokers), Topic: k.to, TLS: security,
		Guarantee: guarantee, TransactionalIDPrefix: k.transactionalIDPrefix, TransactionTimeout: k.transactionTimeout,
		SASL: kafkasink.SASL{Mechanism: k.mechanism, User: k.user, Password: password},
	}, errors.Join(err, cause, problem)
}

// start reads --from.
func (k *Kafka) start(topics []string) (kafkasource.Start, error) {
	switch k.from {
	case "earliest":
		return kafkasource.Earliest, nil
	case "latest":
		return kafkasource.Latest, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, k.from); err == nil {
		return kafkasource.At(at), nil
	}
	offsets := map[string]map[int32]int64{}
	for _, entry := range list(k.from) {
		topic, partition, offset, ok := splitOffset(entry)
		if !ok {
			return kafkasource.Start{}, fmt.Errorf("--from %q: %q is none of earliest, latest, a time (2026-11-21T10:00:00Z) and an offset (TOPIC/0:15)", k.from, entry)
		}
		if offsets[topic] == nil {
			offsets[topic] = map[int32]int64{}
		}
		offsets[topic][partition] = offset
	}
	mine := map[string]map[int32]int64{}
	for _, t := range topics { // a job of several sources gives each its own
		if o, ok := offsets[t]; ok {
			mine[t] = o
		}
	}
	for t := range offsets {
		if !slices.Contains(list(k.topics), t) {
			return kafkasource.Start{}, fmt.Errorf("--from %q: topic %q is not among the input topics %q", k.from, t, k.topics)
		}
	}
	return kafkasource.Offsets(mine), nil
}

// splitOffset takes topic/partition:offset apart.
func splitOffset(s string) (topic string, partition int32, offset int64, ok bool) {
	place, at, ok := strings.Cut(s, ":")
	slash := strings.LastIndexByte(place, '/')
	if !ok || slash <= 0 {
		return "", 0, 0, false
	}
	p, err := strconv.ParseInt(place[slash+1:], 10, 32)
	n, cause := strconv.ParseInt(at, 10, 64)
	return place[:slash], int32(p), n, err == nil && cause == nil && p >= 0 && n >= 0
}

func (k *Kafka) tls() (*tls.Config, error) {
	if !k.useTLS {
		if k.tlsCA != "" {
			return nil, errors.New("--tls-ca without TLS: give --tls too")
		}
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.tlsCA == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(k.tlsCA)
	if err != nil {
		return nil, fmt.Errorf("--tls-ca: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--tls-ca %q holds no certificate in PEM form", k.tlsCA)
	}
	return cfg, nil
}

// password never comes from the command line, where other users of the machine could read it.
func (k *Kafka) password() (kafkasource.Secret, error) {
	if k.mechanism == "" {
		if k.user != "" || k.file != "" {
			return "", errors.New("--sasl-user and --sasl-password-file need a mechanism: give --sasl-mechanism")
		}
		return "", nil
	}
	if k.file == "" {
		p := os.Getenv(PasswordEnv)
		if p == "" {
			return "", fmt.Errorf("SASL %s without a password: set the environment variable %s or give --sasl-password-file", k.mechanism, PasswordEnv)
		}
		return kafkasource.Secret(p), nil
	}
	text, err := os.ReadFile(k.file)
	if err != nil {
		return "", fmt.Errorf("--sasl-password-file: %w", err)
	}
	return kafkasource.Secret(strings.TrimRight(string(text), "\r\n")), nil
}

// list splits a comma-separated flag; "" is none.
func list(s string) []string {
	var all []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}
