package nats

import (
	"errors"
	"fmt"
	"strings"
)

// CheckFilter reports what is wrong with a subject that may have wildcards.
func CheckFilter(subject string) error {
	tokens := strings.Split(subject, ".")
	for i, t := range tokens {
		switch {
		case t == "":
			return fmt.Errorf("subject %q has an empty part", subject)
		case strings.ContainsAny(t, " \t\r\n\f\x00"):
			return fmt.Errorf("subject %q has a space in it", subject)
		case t == ">" && i < len(tokens)-1:
			return fmt.Errorf("subject %q goes on behind >", subject)
		}
	}
	return nil
}

// CheckSubject reports what is wrong with a subject to write to.
func CheckSubject(subject string) error {
	if err := CheckFilter(subject); err != nil {
		return err
	}
	for t := range strings.SplitSeq(subject, ".") {
		if t == "*" || t == ">" {
			return fmt.Errorf("subject %q has a wildcard: a message has one subject", subject)
		}
	}
	return nil
}

// CheckStream reports what is wrong with a stream's name.
func CheckStream(name string) error {
	if name == "" {
		return errors.New("no stream: set Config.Stream")
	}
	if strings.ContainsAny(name, " .*>/\\\t\r\n\f\x00") {
		return fmt.Errorf("stream %q is not a name: it has a space, a dot, a slash or a wildcard in it", name)
	}
	return nil
}

// Overlap says whether some subject matches both filters.
func Overlap(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if as[i] == ">" || bs[i] == ">" {
			return true
		}
		if as[i] != bs[i] && as[i] != "*" && bs[i] != "*" {
			return false
		}
	}
	return len(as) == len(bs)
}
