package proxyproto

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoundTrip(t *testing.T) {
	tests := []struct{ name, source, destination string }{
		{"IPv4", "192.0.2.1:1234", "198.51.100.2:80"},
		{"IPv6", "[2001:db8::1]:1234", "[2001:db8::2]:443"},
	}
	for _, tt := range tests {
		for version := byte(1); version <= 2; version++ {
			t.Run(tt.name, func(t *testing.T) {
				s, d := netip.MustParseAddrPort(tt.source), netip.MustParseAddrPort(tt.destination)
				b := Append(nil, version, s, d)
				for i := range b {
					n, err := Length(b[:i])
					require.NoError(t, err, "prefix of %d bytes", i)
					require.Zero(t, n, "prefix of %d bytes", i)
				}
				n, err := Length(append(b, "GET / HTTP/1.1\r\n\r\n"...))
				require.NoError(t, err)
				require.Equal(t, len(b), n)
				gs, gd, err := Parse(b)
				require.NoError(t, err)
				require.Equal(t, s, netip.AddrPortFrom(gs.Addr().Unmap(), gs.Port()))
				require.Equal(t, d, netip.AddrPortFrom(gd.Addr().Unmap(), gd.Port()))
			})
		}
	}
}

func TestUnknownClient(t *testing.T) {
	for version := byte(1); version <= 2; version++ {
		b := Append(nil, version, netip.AddrPort{}, netip.AddrPort{})
		n, err := Length(b)
		require.NoError(t, err)
		require.Equal(t, len(b), n)
		s, d, err := Parse(b)
		require.NoError(t, err)
		require.False(t, s.IsValid())
		require.False(t, d.IsValid())
	}
}

func TestRefused(t *testing.T) {
	long := append([]byte("PROXY TCP4 "), make([]byte, 200)...)
	for name, b := range map[string][]byte{
		"HTTP":         []byte("GET / HTTP/1.1\r\n"),
		"TLS":          {0x16, 0x03, 0x01},
		"lower case":   []byte("proxy TCP4"),
		"v1 too long":  long,
		"v2 too long":  append(append([]byte{}, signature2...), 0x21, 0x11, 0xff, 0xff),
		"wrong letter": []byte("PROXX"),
	} {
		_, err := Length(b)
		require.Error(t, err, name)
	}
	for name, s := range map[string]string{
		"port":    "PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n",
		"address": "PROXY TCP4 192.0.2.300 192.0.2.2 1 80\r\n",
		"family":  "PROXY TCP4 ::1 ::2 1 80\r\n",
		"fields":  "PROXY TCP4 192.0.2.1\r\n",
	} {
		n, err := Length([]byte(s))
		require.NoError(t, err, name)
		_, _, err = Parse([]byte(s)[:n])
		require.Error(t, err, name)
	}
}

func FuzzHeader(f *testing.F) {
	for version := byte(1); version <= 2; version++ {
		f.Add(Append(nil, version, netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Length(b)
		if err != nil || n == 0 {
			return
		}
		if n > len(b) || n > maxV2 {
			t.Fatalf("length %d of %d bytes", n, len(b))
		}
		_, _, _ = Parse(b[:n])
	})
}
