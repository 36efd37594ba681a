package hardening

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// stricter lists what Blitz refuses although net/http or nginx accept it, by the code of the refusal, with the reason.
var stricter = map[string]string{
	// Lines and fields.
	"bare_lf":            "RFC 9112 section 2.2 lets a server accept LF alone; servers that do and servers that do not disagree about where a line ends",
	"folded_field":       "obsolete line folding: RFC 9112 section 5.2 wants it refused or unfolded, and what is unfolded differently is a field smuggled",
	"space_before_colon": "RFC 9112 section 5.1 wants it refused; net/http tolerates it in trailers",
	"too_many_fields":    "a limit of its own for trailers, which net/http and nginx count by bytes",
	// Framing.
	"bad_content_length":                    "a folded line begins with an empty one, see folded_field",
	"duplicate_content_length":              "RFC 9112 section 6.3 allows equal ones to be accepted; no honest client sends them",
	"content_length_with_transfer_encoding": "RFC 9112 section 6.1 lets the coding win; it is the oldest way to smuggle",
	"unknown_transfer_encoding":             "a coding that is not understood may hide the end of the body; net/http ignores it when the version is 1.0",
	"bad_transfer_encoding":                 "more than one Transfer-Encoding, of which net/http ignores some when the version is 1.0",
	"transfer_encoding_in_http10":           "RFC 9112 section 6.1: faulty framing, which net/http ignores and others do not",
	"bad_chunk_extension":                   "extensions are parsed, not skipped: what they hold must not be able to end the line elsewhere",
	"bad_chunk_size":                        "white space behind the size is not in the grammar of RFC 9112 section 7.1",
	"chunk_line_too_long":                   "an extension nobody reads must not take memory or time",
	"body_not_allowed":                      "RFC 9110 sections 9.3.6 and 9.3.8: what comes behind TRACE or CONNECT may be taken for a request, or for a tunnel",
	// Target and host.
	"bad_target":       "a number sign, and bytes that are not ASCII, must be percent-encoded (RFC 3986); servers cut or keep them as they like",
	"bad_target_form":  "schemes other than http and https, and paths without a slash, are nothing that a gateway could forward",
	"bad_authority":    "userinfo, empty hosts and CONNECT to something else than host:port",
	"bad_host":         "RFC 9110 section 7.2: whatever is not a host with an optional port is routed by one server and ignored by the next",
	"host_conflict":    "RFC 9112 section 3.2.2 lets the target win; where the next server lets Host win, the wrong site answers",
	"path_above_root":  "no resource is there; servers clamp, refuse, or leave the root",
	"path_hidden_dots": "dot segments that only some servers see",
	"path_nul":         "ends the string for servers written in C",
	"bad_path_byte":    "a backslash is a slash to some servers",
	// Methods and expectations.
	"method_too_long":             "32 bytes hold every registered method",
	"version_not_supported":       "a later 1.x might frame its messages in another way",
	"trace_not_allowed":           "TRACE shows what the gateway adds, and credentials to scripts",
	"unknown_expectation":         "RFC 9110 section 10.1.1 wants 417; net/http leaves it to the handler",
	"bad_connection_option":       "RFC 9110 section 7.6.1: a list of tokens; a name cut off at another place is another field removed",
	"too_many_connection_options": "each costs a look at every field",
}

// judge compares what Blitz (b), net/http (h) and nginx (n) made of the same bytes. The verdict says what was found, bad that it must not be.
func judge(in string, b, h, n view) (verdict string, bad bool) {
	same := slices.Equal(b.requests, h.requests)
	switch {
	case same && len(b.requests) > 0:
		return "same", false
	case len(b.requests) > len(h.requests):
		more := b.requests[len(h.requests):]
		for _, d := range laxer { // nginx may refuse the rest for another reason
			if d.is(in, b, h) {
				return "laxer: " + d.name, false
			}
		}
		if len(b.requests) > len(n.requests) {
			return fmt.Sprintf("laxer than both: %q, net/http %q, nginx %q", more, h.requests, n.requests), true
		}
		return fmt.Sprintf("laxer than net/http: %q, net/http %d %q", more, h.status, h.requests), true
	case slices.Equal(b.requests, h.requests[:len(b.requests)]):
		if same {
			return "refused by both", false
		}
		if _, ok := stricter[b.code]; ok {
			return "stricter: " + b.code, false
		}
		return fmt.Sprintf("stricter without a documented reason: %d %q, net/http %q", b.status, b.code, h.requests[len(b.requests):]), true
	}
	return fmt.Sprintf("understood in two ways: Blitz %q, net/http %q", b.requests, h.requests), true
}

// laxer lists what Blitz and nginx accept although net/http refuses it.
var laxer = []struct {
	name, reason string
	is           func(in string, b, h view) bool
}{
	{"empty line", "RFC 9112 section 2.2 wants one empty line before a request to be ignored, which old clients send behind a body", func(in string, b, h view) bool {
		i := strings.Index(in, b.requests[len(h.requests)][:4])
		return strings.HasPrefix(in, "\r\n") || i >= 0 && strings.Contains(in, "\r\n\r\n\r\n")
	}},
}

var templates = []string{
	"GET /# HTTP/1.1\nHost: a\nX: #\nConnection: close\n\n",
	"GET /x/../#/%41?q=#&r=1 HTTP/1.1\nHost: a:80\nAccept: */*\nConnection: close\n\n",
	"GET http://a/# HTTP/1.1\nHost: a\nConnection: close\n\n",
	"POST /# HTTP/1.1\nHost: a\nContent-Length: 10\nConnection: close\n\n#xy",
	"POST /# HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nConnection: close\n\n8\n#\n2;a=b\nxy\n0\n\n",
	"POST /# HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTrailer: X\nConnection: close\n\n8\n#\n0\nX: #\n\n",
	"GET /#1 HTTP/1.1\nHost: a\n\nGET /#2 HTTP/1.1\nHost: a\nConnection: close\n\n",
	"POST /#1 HTTP/1.1\nHost: a\nContent-Length: 8\n\n#GET /#2 HTTP/1.1\nHost: a\nConnection: close\n\n",
	"GET /# HTTP/1.0\nHost: a\n\n",
	"PUT /# HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 8\nConnection: close\n\n#",
}

// morsels are what mutations put in.
var morsels = []string{
	"\n", "␊", "␍", " ", "\t", "\x00", "\x0b", "\x7f", "\xff", ":", ",", ";", "\"", "/", "//", "/../", "%2f", "%2e", "%00", "%", "?", "♯", "\\", "@", "*", "0", "1", "9", "a", "-", "+", "_", ".",
	"Content-Length: 8\n", "Content-Length: 0\n", "content-length : 8\n", "Transfer-Encoding: chunked\n", "Transfer-Encoding: identity\n", "Transfer-Encoding:\tchunked\n", "Host: b\n", "Host: a\n",
	"Connection: keep-alive\n", "Connection: Content-Length\n", " folded: b\n", "X Y: z\n", "X_Y: z\n", "0\n\n", "GET /#s HTTP/1.1\nHost: a\n\n", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http://a",
}

// mutate makes a request that is almost right.
func mutate(rnd *rand.Rand) string {
	s := templates[rnd.IntN(len(templates))]
	for range 1 + rnd.IntN(2) {
		runes := []rune(s) // so that the notation's characters stay whole
		i := rnd.IntN(len(runes))
		j := min(len(runes), i+1+rnd.IntN(3))
		before, after := string(runes[:i]), string(runes[i:])
		morsel := morsels[rnd.IntN(len(morsels))]
		switch rnd.IntN(7) {
		case 0, 1:
			s = before + morsel + after
		case 2:
			s = before + morsel + string(runes[j:])
		case 3:
			s = before + string(runes[j:])
		case 4: // a line twice
			if k := strings.Index(after, "\n"); k >= 0 {
				s = before + after[:k+1] + after
			}
		case 5: // something at the beginning of a line
			if k := strings.Index(after, "\n"); k >= 0 {
				s = before + after[:k+1] + morsel + after[k+1:]
			}
		case 6: // another case of letters
			s = before + strings.ToUpper(string(runes[i:j])) + string(runes[j:])
		}
	}
	return s
}
