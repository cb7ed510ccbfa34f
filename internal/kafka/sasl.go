package kafka

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/millrace-io/millrace/internal/secret"
)

// SASL says who connects. The zero value connects without saying.
type SASL struct {
	Mechanism string // "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"
	User      string
	Password  Secret
}

// Secret is a text that no log, error or dump shows.
type Secret = secret.Text

func (s SASL) validate() error {
	switch s.Mechanism {
	case "":
		if s.User != "" || s.Password != "" {
			return fmt.Errorf("SASL user %q without a mechanism: set SASL.Mechanism", s.User)
		}
		return nil
	case sarama.SASLTypePlaintext, sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		if s.User == "" || s.Password == "" {
			return fmt.Errorf("SASL %s without user or password: set SASL.User and SASL.Password", s.Mechanism)
		}
		return nil
	}
	return fmt.Errorf("SASL mechanism %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", s.Mechanism)
}

func (s SASL) apply(cfg *sarama.Config) {
	if s.Mechanism == "" {
		return
	}
	cfg.Net.SASL.Enable = true
	cfg.Net.SASL.Handshake = true
	cfg.Net.SASL.Version = sarama.SASLHandshakeV1
	cfg.Net.SASL.Mechanism = sarama.SASLMechanism(s.Mechanism)
	cfg.Net.SASL.User, cfg.Net.SASL.Password = s.User, string(s.Password)
	switch s.Mechanism {
	case sarama.SASLTypeSCRAMSHA256:
		cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: sha256.New} }
	case sarama.SASLTypeSCRAMSHA512:
		cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: sha512.New} }
	}
}

// scramClient is one SCRAM conversation for sarama.
type scramClient struct {
	hash         func() hash.Hash
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := scram.HashGeneratorFcn(c.hash).NewClient(user, password, authzID)
	if err == nil {
		c.conversation = client.NewConversation()
	}
	return err
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

func (c *scramClient) Done() bool { return c.conversation.Done() }
