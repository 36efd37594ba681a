package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// startAt is seconds since 1970 with up to nine decimals. It is read digit by digit: a float would lose the last two.
type startAt struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *startAt) UnmarshalText(b []byte) error {
	whole, part, _ := strings.Cut(string(b), ".")
	sec, err := strconv.ParseUint(whole, 10, 33)
	var ns uint64
	if err == nil && part != "" {
		ns, err = strconv.ParseUint((part + "000000000")[:9], 10, 32)
	}
	if err != nil || len(part) > 9 || sec == 0 {
		return fmt.Errorf("%q is not a time in seconds since 1970, such as 1767225600.25", b)
	}
	s.Time = time.Unix(int64(sec), int64(ns))
	return nil
}
