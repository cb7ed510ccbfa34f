//go:build integration

package oracle_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

func init() { databases["DuckDB"] = openDuckDB }

// duckdb is a child process that answers line by line.
type duckdb struct {
	to   *json.Encoder
	from *json.Decoder
}

func openDuckDB(t *testing.T) database {
	python, err := exec.Command("../../scripts/duckdb.sh").Output()
	if err != nil {
		t.Fatalf("scripts/duckdb.sh: %v", err)
	}
	child := exec.CommandContext(t.Context(), strings.TrimSpace(string(python)), "testdata/answer.py")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	child.Stderr = &complaints
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := child.Wait(); err != nil && complaints.Len() > 0 {
			t.Errorf("DuckDB: %v\n%s", err, complaints.String())
		}
	})
	return duckdb{json.NewEncoder(in), json.NewDecoder(out)}
}

func (d duckdb) run(statements string) ([][]string, error) {
	if err := d.to.Encode(statements); err != nil {
		return nil, err
	}
	var answer struct {
		Rows  [][]string
		Error string
	}
	if err := d.from.Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return answer.Rows, nil
}
