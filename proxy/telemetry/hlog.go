package telemetry

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
)

// The interval log of the HdrHistogram libraries (.hlog, version 1.3), which their tools merge and plot. It is written here because the
// library would be in every gateway for the sake of these few bytes; a test reads the result with the library.

// AppendHistograms appends a log with one line for each series that has counted something: tag "route:name" or "cluster:name", from start to
// now, durations in ns.
func AppendHistograms(dst []byte, s *Samples, now time.Time) []byte {
	base := s.started.Truncate(time.Second)
	dst = append(dst, "#[Histogram log format version 1.3]\n#[BaseTime: "...)
	dst = appendSeconds(dst, base.UnixMilli())
	dst = append(dst, " (seconds since epoch)]\n#[StartTime: "...)
	dst = appendSeconds(dst, base.UnixMilli())
	dst = append(dst, " (seconds since epoch)]\n\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"...)
	from, length := s.started.Sub(base).Milliseconds(), now.Sub(s.started).Milliseconds()
	for _, x := range s.routeSeries {
		dst = x.appendInterval(dst, "route:", from, length)
	}
	for _, x := range s.clusterSeries {
		dst = x.appendInterval(dst, "cluster:", from, length)
	}
	return dst
}

// tagEscapes replaces what a tag must not have.
var tagEscapes = strings.NewReplacer(",", "_", " ", "_", "\n", "_", "\r", "_")

func (s *Series) appendInterval(dst []byte, kind string, from, length int64) []byte {
	if s.lo > s.hi {
		return dst
	}
	dst = append(append(append(dst, "Tag="...), kind...), tagEscapes.Replace(s.name)...)
	dst = appendSeconds(append(dst, ','), from)
	dst = appendSeconds(append(dst, ','), length)
	dst = append(dst, ',')
	dst = strconv.AppendFloat(dst, float64(stepTop(s.hi))/1e6, 'f', 3, 64)
	dst = append(dst, ',')
	dst = base64.StdEncoding.AppendEncode(dst, s.encode())
	return append(dst, '\n')
}

func appendSeconds(dst []byte, ms int64) []byte {
	return strconv.AppendFloat(dst, float64(ms)/1000, 'f', 3, 64)
}

// Cookies of the V2 encoding: words of eight bytes at most.
const (
	hdrCookie           = 0x1c849303 | 0x10
	hdrCompressedCookie = 0x1c849304 | 0x10
)

// encode is HdrHistogram's V2 format, compressed.
func (s *Series) encode() []byte {
	counts := s.appendCounts(nil)
	head := binary.BigEndian.AppendUint32(nil, hdrCookie)
	head = binary.BigEndian.AppendUint32(head, uint32(len(counts)))
	head = binary.BigEndian.AppendUint32(head, 0) // normalizing index offset
	head = binary.BigEndian.AppendUint32(head, hdrDigits)
	head = binary.BigEndian.AppendUint64(head, hdrLowest)
	head = binary.BigEndian.AppendUint64(head, uint64(hdrHighest))
	head = binary.BigEndian.AppendUint64(head, math.Float64bits(1)) // integer to double conversion ratio
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	_, _ = z.Write(head) // to memory: it cannot fail
	_, _ = z.Write(counts)
	_ = z.Close()
	out := binary.BigEndian.AppendUint32(nil, hdrCompressedCookie)
	out = binary.BigEndian.AppendUint32(out, uint32(deflated.Len()))
	return append(out, deflated.Bytes()...)
}

// appendCounts writes the steps up to the highest in use as ZigZag LEB128 numbers; a run of empty ones is one negative number.
func (s *Series) appendCounts(dst []byte) []byte {
	for i := 0; i <= s.hi; {
		if n := s.steps[i]; n > 0 {
			dst = appendZigZag(dst, int64(n))
			i++
			continue
		}
		from := i
		for i <= s.hi && s.steps[i] == 0 {
			i++
		}
		dst = appendZigZag(dst, -int64(i-from))
	}
	return dst
}

// appendZigZag is LEB128 with at most nine bytes: the ninth has no continuation bit and holds eight.
func appendZigZag(dst []byte, n int64) []byte {
	v := uint64(n<<1) ^ uint64(n>>63)
	for range 8 {
		if v < 1<<7 {
			return append(dst, byte(v))
		}
		dst = append(dst, byte(v)|1<<7)
		v >>= 7
	}
	return append(dst, byte(v))
}
