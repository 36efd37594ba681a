package config

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// maxUnixPath is the longest path of a Unix socket: sun_path of Linux has 108 bytes, one of them for the final zero.
const maxUnixPath = 107

// Address is the parsed form of an address: a Unix socket, or a host and a port.
type Address struct {
	// Unix is the path of a socket; Host and Port are then empty.
	Unix string
	// Host is an IP address without brackets, a host name, or "" for all addresses.
	Host string
	Port uint16
}

// ParseAddress parses host:port, [IPv6]:port, :port and unix:/path. The error says what was expected.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !strings.HasPrefix(path, "/") || len(path) > maxUnixPath || strings.ContainsRune(path, 0) {
			return Address{}, errors.New("expected unix: and an absolute path of at most " + strconv.Itoa(maxUnixPath) + " bytes")
		}
		return Address{Unix: path}, nil
	}
	want := errors.New("expected host:port, with an IPv6 address in brackets, or unix:/path")
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return Address{}, errors.New("expected a port after the host, as in " + orName(s) + ":8080")
	}
	host := s[:i]
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return Address{}, errors.New("expected a port between 0 and 65535 after the last colon")
	}
	switch {
	case strings.HasPrefix(host, "["):
		host = strings.TrimPrefix(host, "[")
		inner, closed := strings.CutSuffix(host, "]")
		if ip, err := netip.ParseAddr(inner); !closed || err != nil || !ip.Is6() {
			return Address{}, want
		}
		host = inner
	case host == "":
	default:
		if _, err := netip.ParseAddr(host); err == nil && strings.Contains(host, ":") || !validHostName(host) {
			return Address{}, want
		}
	}
	return Address{Host: host, Port: uint16(port)}, nil
}

// IP returns the address when Host is one, and for an empty host the one that means all IPv4 addresses.
func (a Address) IP() (netip.Addr, bool) {
	if a.Host == "" {
		return netip.IPv4Unspecified(), a.Unix == ""
	}
	ip, err := netip.ParseAddr(a.Host)
	return ip, err == nil
}

func orName(s string) string {
	if validHostName(s) {
		return s
	}
	return "localhost"
}

// validHostName accepts names of letters, digits, '-' and '_' in labels of at most 63 bytes (RFC 1123 section 2.1, with
// the underscore that container networks use), and numbers with dots only when they are an IPv4 address.
func validHostName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	numeric := true
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case c >= '0' && c <= '9':
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
				numeric = false
			default:
				return false
			}
		}
	}
	if numeric {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return true
}
