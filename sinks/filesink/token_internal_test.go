package filesink

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func entries() []entry {
	return []entry{
		{hidden: hiddenPrefix + "a", final: "part-a", size: 1, closed: true, hash: [32]byte{1, 31: 2}},
		{hidden: hiddenPrefix + "c", final: "c", size: 7, closed: true, due: true},
		{hidden: hiddenPrefix + strings.Repeat("b", 200), final: "b", size: 1 << 40},
	}
}

func TestToken(t *testing.T) {
	want := entries()
	got, err := parseToken(appendToken(nil, want))
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	for what, change := range map[string]func(e *entry){
		"hidden name in another directory": func(e *entry) { e.hidden = hiddenPrefix + "/../a" },
		"hidden name that is not":          func(e *entry) { e.hidden = "a" },
		"final name in another directory":  func(e *entry) { e.final = "../a" },
		"final name that is hidden":        func(e *entry) { e.final = ".a" },
		"no name":                          func(e *entry) { e.final = "" },
		"long name":                        func(e *entry) { e.final = strings.Repeat("a", 256) },
		"nothing in it":                    func(e *entry) { e.size = 0 },
		"negative":                         func(e *entry) { e.size = -1 },
	} {
		e := entries()[0]
		change(&e)
		if files, err := parseToken(appendToken(nil, []entry{e})); err == nil {
			t.Errorf("%s: taken as %+v", what, files)
		}
	}
	newer := appendToken(nil, want)
	newer[0] = tokenVersion + 1
	if _, err := parseToken(newer); err == nil || !strings.Contains(err.Error(), "version 2, this build reads 1") {
		t.Errorf("got %v, want both versions", err)
	}
}

func FuzzToken(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendToken(nil, nil))
	f.Add(appendToken(nil, entries()))
	f.Fuzz(func(t *testing.T, token []byte) {
		files, err := parseToken(token)
		if err != nil {
			return
		}
		for _, e := range files {
			if strings.ContainsAny(e.hidden+e.final, "/\\\x00") || e.size <= 0 || !strings.HasPrefix(e.hidden, hiddenPrefix) || strings.HasPrefix(e.final, ".") {
				t.Fatalf("took %+v", e)
			}
		}
		again := appendToken(nil, files)
		if back, err := parseToken(again); err != nil || !slices.Equal(back, files) || len(again) > len(token) {
			t.Fatalf("% x became %+v, then % x, then %+v, %v", token, files, again, back, err)
		}
		if len(again) == len(token) && !bytes.Equal(again, token) {
			t.Fatalf("% x became % x", token, again)
		}
	})
}
