package harness

import (
	"fmt"
	"math"
	"strconv"
)

// Figure is a number of a report; NaN and the infinities, which JSON does not have, become null: not measured.
type Figure float64

// MarshalJSON writes six significant digits.
func (f Figure) MarshalJSON() ([]byte, error) {
	v := float64(f)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return appendFigure(nil, v), nil
}

// UnmarshalJSON reads null as NaN.
func (f *Figure) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	v, err := parseFigure(b)
	*f = Figure(v)
	return err
}

func appendFigure(dst []byte, v float64) []byte {
	if a := math.Abs(v); a >= 1e5 || v == math.Trunc(v) { // whole numbers without an exponent
		return strconv.AppendFloat(dst, v, 'f', 0, 64)
	}
	return strconv.AppendFloat(dst, v, 'g', 6, 64)
}

func parseFigure(b []byte) (float64, error) {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return math.NaN(), fmt.Errorf("figure %q: not a number: %w", b, err)
	}
	return v, nil
}
