package codec

// skip compiles the reading of a value that no field takes. The compiled reading is kept by schema, since one may occur often.
func (r *resolver) skip(s *schema) skipper {
	if f := r.skips[s]; f != nil {
		return f
	}
	f := r.compileSkip(s)
	r.skips[s] = f
	return f
}

// skipper gives what is behind a value.
type skipper func(src []byte) (rest []byte, err error)

func (r *resolver) compileSkip(s *schema) skipper {
	switch s.kind {
	case "record":
		parts := make([]skipper, len(s.fields))
		for i, f := range s.fields {
			parts[i] = r.skip(f.schema)
		}
		return func(src []byte) (_ []byte, err error) {
			for _, part := range parts {
				if src, err = part(src); err != nil {
					return nil, err
				}
			}
			return src, nil
		}
	case "union":
		return skipUnion(r.skip(s.items))
	case "array":
		return skipBlocks(r.skip(s.items), r.writer.sizes[s.items].min)
	case "map":
		value := r.skip(s.items)
		return skipBlocks(func(src []byte) ([]byte, error) {
			_, rest, err := readBlock(src)
			if err != nil {
				return nil, err
			}
			return value(rest)
		}, 1+r.writer.sizes[s.items].min)
	case "int", "long":
		return func(src []byte) ([]byte, error) {
			_, rest, err := readLong(src)
			return rest, err
		}
	case "bytes", "string":
		return func(src []byte) ([]byte, error) {
			_, rest, err := readBlock(src)
			return rest, err
		}
	}
	return skipBytes(s.kind, r.writer.sizes[s].min) // boolean, float, double, fixed
}

func skipBytes(kind string, n int) skipper {
	return func(src []byte) ([]byte, error) {
		if len(src) < n {
			return nil, damaged("%s has %d bytes, want %d", kind, len(src), n)
		}
		return src[n:], nil
	}
}

func skipUnion(value skipper) skipper {
	return func(src []byte) ([]byte, error) {
		branch, rest, err := readLong(src)
		switch {
		case err != nil || branch == 0:
			return rest, err
		case branch != 1:
			return nil, damaged("branch is %d, want 0 (null) or 1 (value)", branch)
		}
		return value(rest)
	}
}

// skipBlocks passes over the elements of an array or map, each of at least min bytes.
func skipBlocks(elem skipper, min int) skipper {
	return func(src []byte) ([]byte, error) {
		for {
			n, rest, err := readCount(src, min)
			if err != nil || n == 0 {
				return rest, err
			}
			for range n {
				if rest, err = elem(rest); err != nil {
					return nil, err
				}
			}
			src = rest
		}
	}
}
