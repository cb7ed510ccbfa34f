package codec

import (
	"fmt"
	"reflect"
	"strings"
)

// fieldName is the name of f on the wire: its own, or that of its tag. It is empty if f is left out, by tag or because a blank
// field holds nothing.
func fieldName(f reflect.StructField) string {
	tag, _, _ := strings.Cut(f.Tag.Get("millrace"), ",")
	switch {
	case tag == "-" || f.Name == "_":
		return ""
	case tag != "":
		return tag
	}
	return f.Name
}

// fieldAliases are the names that f had before, by its tag.
func fieldAliases(f reflect.StructField) (aliases []string, err error) {
	_, options, more := strings.Cut(f.Tag.Get("millrace"), ",")
	for option := ""; more; {
		option, options, more = strings.Cut(options, ",")
		name, ok := strings.CutPrefix(option, "alias=")
		if !ok || avroName(name) != name {
			return nil, fmt.Errorf("tag has %q behind the name, want alias= and the name that the field had", option)
		}
		aliases = append(aliases, name)
	}
	return aliases, nil
}

// checkField refuses fields that cannot be read, and names that Avro does not allow or that are used twice. It notes the name
// in seen.
func checkField(f reflect.StructField, name, path string, seen map[string]string) error {
	if !f.IsExported() {
		return fmt.Errorf("field %s is not exported; export it, tag it `millrace:\"-\"` to leave it out, or register a codec for the struct", path)
	}
	if avroName(name) != name {
		return fmt.Errorf("field %s: name %q has more than letters, digits and _; rename it with the tag `millrace:\"name\"`", path, name)
	}
	if first, twice := seen[name]; twice {
		return fmt.Errorf("field %s: name %q is already that of field %s; rename one with the tag `millrace:\"name\"`", path, name, first)
	}
	seen[name] = f.Name
	return nil
}

// checkAliases refuses tags that say something else, and aliases that could mean two fields. seen has the names of all fields.
func checkAliases(t reflect.Type, path string, seen map[string]string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if fieldName(f) == "" {
			continue
		}
		at := path + "." + f.Name
		aliases, err := fieldAliases(f)
		if err != nil {
			return fmt.Errorf("field %s: %w", at, err)
		}
		for _, alias := range aliases {
			if first, twice := seen[alias]; twice {
				return fmt.Errorf("field %s: alias %q is already a name of field %s; drop the alias or give that field another name", at, alias, first)
			}
			seen[alias] = f.Name
		}
	}
	return nil
}
