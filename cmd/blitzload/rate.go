package main

import (
	"fmt"
	"strconv"
	"strings"
)

// rate is requests per second, written as a number with an optional unit of time.
type rate float64

// UnmarshalText implements encoding.TextUnmarshaler for the flag.
func (r *rate) UnmarshalText(b []byte) error {
	s := string(b)
	num, unit, _ := strings.Cut(s, "/")
	per, ok := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !ok || !(v > 0) || strings.HasSuffix(s, "/") {
		return fmt.Errorf("rate %q: expected requests per second, such as 5000, or 90/m, and more than 0", s)
	}
	*r = rate(v / per)
	return nil
}
