package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// scalar is a value with a notation of its own. parse gets the text of the YAML scalar and returns what was expected.
type scalar interface {
	parse(text string) error
}

// Duration is a time span, written with its unit: 250us, 5s, 1m30s.
type Duration time.Duration

func (d *Duration) parse(s string) error {
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return errors.New("a duration with its unit, such as 250us, 5s or 1m30s")
	}
	*d = Duration(v)
	return nil
}

// String is the shortest notation that parses to the same value.
func (d Duration) String() string {
	s := time.Duration(d).String()
	s = strings.ReplaceAll(s, "µs", "us")
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String, for encoders.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Size is a number of bytes, written with its unit: 512B, 16KiB, 1MB.
type Size int64

var sizeUnits = []struct {
	name   string
	factor int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3},
	{"B", 1}, {"", 1},
}

func (z *Size) parse(s string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil || n > math.MaxInt64/uint64(u.factor) {
			break
		}
		*z = Size(n * uint64(u.factor))
		return nil
	}
	return errors.New("a size in bytes with its unit, such as 512B, 16KiB or 1MB")
}

// String is the shortest notation that parses to the same value.
func (z Size) String() string {
	for _, u := range sizeUnits {
		if z != 0 && int64(z)%u.factor == 0 {
			return strconv.FormatInt(int64(z)/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(z), 10) + "B"
}

// MarshalText is String, for encoders.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// Count is a number, or auto, which is 0.
type Count int

func (c *Count) parse(s string) error {
	if s == "auto" {
		*c = 0
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n == 0 {
		return errors.New("a number of at least 1, or auto")
	}
	*c = Count(n)
	return nil
}

// String is the notation that parses to the same value.
func (c Count) String() string {
	if c == 0 {
		return "auto"
	}
	return strconv.Itoa(int(c))
}

// MarshalText is String, for encoders.
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// CPUs is a list of CPU numbers, written as numbers and ranges: 0-3, 0,2,4-7.
type CPUs []int

// maxCPU is the largest CPU number: that of a Linux kernel built for the largest machines (CONFIG_NR_CPUS 8192).
const maxCPU = 8191

func (c *CPUs) parse(s string) error {
	want := errors.New("CPU numbers and ranges up to " + strconv.Itoa(maxCPU) + ", each once, such as 0-3 or 0,2,4")
	var out []int
	seen := map[int]bool{}
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		lo, err := strconv.ParseUint(first, 10, 16)
		if err != nil {
			return want
		}
		hi := lo
		if isRange {
			if hi, err = strconv.ParseUint(last, 10, 16); err != nil {
				return want
			}
		}
		if lo > hi || hi > maxCPU {
			return want
		}
		for n := int(lo); n <= int(hi); n++ {
			if seen[n] {
				return want
			}
			seen[n] = true
			out = append(out, n)
		}
	}
	*c = out
	return nil
}

// String lists the numbers, ranges put together.
func (c CPUs) String() string {
	var b strings.Builder
	for i := 0; i < len(c); {
		j := i
		for j+1 < len(c) && c[j+1] == c[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		if i == j {
			fmt.Fprintf(&b, "%d", c[i])
		} else {
			fmt.Fprintf(&b, "%d-%d", c[i], c[j])
		}
		i = j + 1
	}
	return b.String()
}

// MarshalText is String, for encoders.
func (c CPUs) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Header is one field of a response.
type Header struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// Headers are fields in the order of the file. In YAML they are a mapping from name to value.
type Headers []Header

// Fraction is a share of a whole, from 0 to 1.
type Fraction float64

func (f *Fraction) parse(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return errors.New("a number from 0 to 1, such as 0.01")
	}
	*f = Fraction(v)
	return nil
}

// String is the shortest notation that parses to the same value.
func (f Fraction) String() string { return strconv.FormatFloat(float64(f), 'f', -1, 64) }

// MarshalText is String, for encoders.
func (f Fraction) MarshalText() ([]byte, error) { return []byte(f.String()), nil }
