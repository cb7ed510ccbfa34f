package kafka

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSecretIsNeverShown by any way a value gets into a text.
func TestSecretIsNeverShown(t *testing.T) {
	c := Cluster{Brokers: []string{"b:1"}, SASL: SASL{Mechanism: "PLAIN", User: "u", Password: "canary"}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+"\n", c, c.SASL.Password)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "cluster", c, "password", c.SASL.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "sasl", c.SASL, "password", c.SASL.Password)
	if err := json.NewEncoder(&out).Encode(c.SASL); err != nil {
		t.Fatal(err)
	}
	if hex := fmt.Sprintf("%x", "canary"); strings.Contains(out.String(), "canary") || strings.Contains(out.String(), hex) {
		t.Errorf("shown:\n%s", out.String())
	}
	if cfg := c.config(); cfg.Net.SASL.Password != "canary" {
		t.Errorf("sarama is given %q", cfg.Net.SASL.Password)
	}
}

// TestSafeDefaults are what sarama's own are not.
func TestSafeDefaults(t *testing.T) {
	c := Cluster{}
	cfg := c.config()
	if cfg.Net.TLS.Enable || cfg.ClientID != "millrace" {
		t.Errorf("TLS %v, client %q", cfg.Net.TLS.Enable, cfg.ClientID)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
