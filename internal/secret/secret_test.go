package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/millrace-io/millrace/internal/secret"
)

// A secret is shown by none of the ways a value gets into a text, alone or in what holds it.
func TestNeverShown(t *testing.T) {
	held := struct{ Password secret.Text }{"canary"}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", held, &held, held.Password)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "held", held, "password", held.Password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "held", held, "password", held.Password)
	if err := json.NewEncoder(&out).Encode([]any{held.Password, held}); err != nil {
		t.Fatal(err)
	}
	if hex := fmt.Sprintf("%x", "canary"); strings.Contains(out.String(), "canary") || strings.Contains(out.String(), hex) {
		t.Errorf("shown:\n%s", out.String())
	}
	if n := strings.Count(out.String(), "[redacted]"); n < 25 {
		t.Errorf("%d texts instead of the secret, want one for each way", n)
	}
}
