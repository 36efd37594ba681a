package h1

import (
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// refusedRequests are the malformed and ambiguous heads; each is refused with the expected status and code.
var refusedRequests = []struct{ name, in, want string }{
	// Request line.
	{"TLS hello on a plain port", "\x16\x03\x01\x02\x00\x01\x00", "400 bad_method"},
	{"space first", " GET / HTTP/1.1\nHost: a\n\n", "400 bad_method"},
	{"empty line then LF", "\n␊GET / HTTP/1.1\nHost: a\n\n", "400 bare_lf"},
	{"two empty lines first", "\n\nGET / HTTP/1.1\nHost: a\n\n", "400 bad_method"},
	{"bare CR first", "␍GET / HTTP/1.1\nHost: a\n\n", "400 bare_cr"},
	{"bare LF first", "␊GET / HTTP/1.1\nHost: a\n\n", "400 bare_lf"},
	{"method with a control byte", "GE\x00T / HTTP/1.1\n", "400 bad_method"},
	{"method with a colon", "GET: / HTTP/1.1\n", "400 bad_method"},
	{"method only", "GET\n\n", "400 bad_method"},
	{"method and LF", "GET␊", "400 bare_lf"},
	{"tab after method", "GET\t/ HTTP/1.1\nHost: a\n\n", "400 bad_method"},
	{"method too long", strings.Repeat("A", 33), "501 method_too_long"},
	{"two spaces after method", "GET  / HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"two spaces after target", "GET /  HTTP/1.1\nHost: a\n\n", "400 bad_version"},
	{"space in target", "GET /a b HTTP/1.1\nHost: a\n\n", "400 bad_version"},
	{"tab in target", "GET /a\tb HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"NUL in target", "GET /a\x00 HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"DEL in target", "GET /a\x7f HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"non-ASCII in target", "GET /ä HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"fragment", "GET /a#b HTTP/1.1\nHost: a\n\n", "400 bad_target"},
	{"HTTP/0.9", "GET /\n", "400 bad_version"},
	{"HTTP/0.9 with LF", "GET /␊", "400 bad_version"},
	{"version missing", "GET / \nHost: a\n\n", "400 bad_version"},
	{"version in lower case", "GET / http/1.1\nHost: a\n\n", "400 bad_version"},
	{"version without minor", "GET / HTTP/1\nHost: a\n\n", "400 bad_version"},
	{"version with two digits", "GET / HTTP/1.10\nHost: a\n\n", "400 bad_version"},
	{"version with leading zero", "GET / HTTP/01.1\nHost: a\n\n", "400 bad_version"},
	{"version with a comma", "GET / HTTP/1,1\nHost: a\n\n", "400 bad_version"},
	{"another protocol", "GET / ICAP/1.0\nHost: a\n\n", "400 bad_version"},
	{"version 1.2", "GET / HTTP/1.2\nHost: a\n\n", "505 version_not_supported"},
	{"version 2.0", "GET / HTTP/2.0\nHost: a\n\n", "505 version_not_supported"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\n\nSM\n\n", "505 version_not_supported"},
	{"version 0.9", "GET / HTTP/0.9\nHost: a\n\n", "505 version_not_supported"},
	{"space after version", "GET / HTTP/1.1 \nHost: a\n\n", "400 bad_version"},
	{"LF after version", "GET / HTTP/1.1␊Host: a\n\n", "400 bare_lf"},
	{"CR after version", "GET / HTTP/1.1␍Host: a\n\n", "400 bare_cr"},
	{"CR CR LF after version", "GET / HTTP/1.1␍\nHost: a\n\n", "400 bare_cr"},
	{"line too long", "GET /" + strings.Repeat("a", 8<<10), "414 request_line_too_long"},
	{"line too long with its version", "GET /" + strings.Repeat("a", 8<<10-9) + " HTTP/1.1\n", "414 request_line_too_long"},

	// Target forms.
	{"no leading slash", "GET a HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"asterisk for GET", "GET * HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"asterisk and more", "OPTIONS *x HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"authority form for GET", "GET a:80 HTTP/1.1\nHost: a:80\n\n", "400 bad_target_form"},
	{"other scheme", "GET ftp://a/ HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"scheme only", "GET http:// HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"scheme with one slash", "GET http:/a HTTP/1.1\nHost: a\n\n", "400 bad_target_form"},
	{"absolute without host", "GET http:///x HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"absolute with userinfo", "GET http://u@a/ HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"absolute with backslash", "GET http://a\\@b/ HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"absolute against Host", "GET http://a/ HTTP/1.1\nHost: b\n\n", "400 host_conflict"},
	{"absolute port against Host", "GET http://a:81/ HTTP/1.1\nHost: a\n\n", "400 host_conflict"},
	{"absolute without Host field", "GET http://a/ HTTP/1.1\n\n", "400 missing_host"},
	{"CONNECT with a path", "CONNECT /x HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"CONNECT with a URL", "CONNECT http://a:80/ HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"CONNECT without port", "CONNECT a HTTP/1.1\nHost: a\n\n", "400 bad_authority"},
	{"CONNECT with userinfo", "CONNECT u@a:1 HTTP/1.1\nHost: a:1\n\n", "400 bad_authority"},
	{"CONNECT against Host", "CONNECT a:443 HTTP/1.1\nHost: b:443\n\n", "400 host_conflict"},
	{"CONNECT with a body", "CONNECT a:443 HTTP/1.1\nHost: a:443\nContent-Length: 1\n\n", "400 body_not_allowed"},
	{"CONNECT chunked", "CONNECT a:443 HTTP/1.1\nHost: a:443\nTransfer-Encoding: chunked\n\n", "400 body_not_allowed"},

	// Host.
	{"no Host", "GET / HTTP/1.1\n\n", "400 missing_host"},
	{"no Host but fields", "GET / HTTP/1.1\nAccept: */*\n\n", "400 missing_host"},
	{"empty Host", "GET / HTTP/1.1\nHost:\n\n", "400 bad_host"},
	{"empty Host in HTTP/1.0", "GET / HTTP/1.0\nHost: \n\n", "400 bad_host"},
	{"two Hosts", "GET / HTTP/1.1\nHost: a\nHost: b\n\n", "400 duplicate_host"},
	{"two equal Hosts", "GET / HTTP/1.1\nHost: a\nhost: a\n\n", "400 duplicate_host"},
	{"empty Host, then another", "GET / HTTP/1.1\nHost:\nHost: a\n\n", "400 duplicate_host"},
	{"Host list", "GET / HTTP/1.1\nHost: a, b\n\n", "400 bad_host"},
	{"Host with userinfo", "GET / HTTP/1.1\nHost: u@a\n\n", "400 bad_host"},
	{"Host with path", "GET / HTTP/1.1\nHost: a/b\n\n", "400 bad_host"},
	{"Host with space", "GET / HTTP/1.1\nHost: a b\n\n", "400 bad_host"},
	{"Host with escape", "GET / HTTP/1.1\nHost: a%2eb\n\n", "400 bad_host"},
	{"Host with bad port", "GET / HTTP/1.1\nHost: a:x\n\n", "400 bad_host"},
	{"Host with empty port", "GET / HTTP/1.1\nHost: a:\n\n", "400 bad_host"},
	{"Host with large port", "GET / HTTP/1.1\nHost: a:65536\n\n", "400 bad_host"},
	{"Host with two ports", "GET / HTTP/1.1\nHost: a:1:2\n\n", "400 bad_host"},
	{"Host with empty label", "GET / HTTP/1.1\nHost: a..b\n\n", "400 bad_host"},
	{"Host with open bracket", "GET / HTTP/1.1\nHost: [::1\n\n", "400 bad_host"},
	{"Host with zone", "GET / HTTP/1.1\nHost: [fe80::1%25eth0]\n\n", "400 bad_host"},
	{"Host non-ASCII", "GET / HTTP/1.1\nHost: \xc3\xa4\n\n", "400 bad_host"},

	// Field lines.
	{"LF after value", "GET / HTTP/1.1\nHost: a␊\n", "400 bare_lf"},
	{"LF for the empty line", "GET / HTTP/1.1\nHost: a\n␊", "400 bare_lf"},
	{"CR in value", "GET / HTTP/1.1\nHost: a\nX: a␍b\n\n", "400 bare_cr"},
	{"CR at the end of value", "GET / HTTP/1.1\nHost: a\nX: a␍\n\n", "400 bare_cr"},
	{"CR for the empty line", "GET / HTTP/1.1\nHost: a\n␍x", "400 bare_cr"},
	{"CR as first byte of a line", "GET / HTTP/1.1\nHost: a\n␍X: a\n\n", "400 bare_cr"},
	{"folded by space", "GET / HTTP/1.1\nHost: a\nX: a\n b\n\n", "400 folded_field"},
	{"folded by tab", "GET / HTTP/1.1\nHost: a\nX: a\n\tb\n\n", "400 folded_field"},
	{"space before first field", "GET / HTTP/1.1\n Host: a\n\n", "400 folded_field"},
	{"space before colon", "GET / HTTP/1.1\nHost : a\n\n", "400 space_before_colon"},
	{"tab before colon", "GET / HTTP/1.1\nHost\t: a\n\n", "400 space_before_colon"},
	{"space in name", "GET / HTTP/1.1\nHost: a\nTransfer Encoding: chunked\n\n", "400 space_before_colon"},
	{"empty name", "GET / HTTP/1.1\nHost: a\n: x\n\n", "400 bad_field_name"},
	{"no colon", "GET / HTTP/1.1\nHost: a\nX\n\n", "400 bad_field_name"},
	{"LF in name", "GET / HTTP/1.1\nHost: a\nX␊: a\n\n", "400 bare_lf"},
	{"NUL in name", "GET / HTTP/1.1\nHost: a\nX\x00: a\n\n", "400 bad_field_name"},
	{"parenthesis in name", "GET / HTTP/1.1\nHost: a\nX(y): a\n\n", "400 bad_field_name"},
	{"non-ASCII name", "GET / HTTP/1.1\nHost: a\nX\xe9: a\n\n", "400 bad_field_name"},
	{"NUL in value", "GET / HTTP/1.1\nHost: a\nX: a\x00b\n\n", "400 bad_field_value"},
	{"DEL in value", "GET / HTTP/1.1\nHost: a\nX: a\x7f\n\n", "400 bad_field_value"},
	{"escape in value", "GET / HTTP/1.1\nHost: a\nX: \x1b[0m\n\n", "400 bad_field_value"},
	{"vertical tab in value", "GET / HTTP/1.1\nHost: a\nTransfer-Encoding:\x0bchunked\n\n", "400 bad_field_value"},
	{"too many fields", "GET / HTTP/1.1\nHost: a\n" + strings.Repeat("X: a\n", 100) + "\n", "431 too_many_fields"},
	{"head too large", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("a", 32<<10), "431 head_too_large"},
	{"complete head too large", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("a", 32<<10) + "\n\n", "431 head_too_large"},

	// Content-Length.
	{"length empty", "POST / HTTP/1.1\nHost: a\nContent-Length:\n\n", "400 bad_content_length"},
	{"length with plus", "POST / HTTP/1.1\nHost: a\nContent-Length: +5\n\n", "400 bad_content_length"},
	{"length negative", "POST / HTTP/1.1\nHost: a\nContent-Length: -5\n\n", "400 bad_content_length"},
	{"length hexadecimal", "POST / HTTP/1.1\nHost: a\nContent-Length: 0x5\n\n", "400 bad_content_length"},
	{"length with fraction", "POST / HTTP/1.1\nHost: a\nContent-Length: 5.0\n\n", "400 bad_content_length"},
	{"length with underscore", "POST / HTTP/1.1\nHost: a\nContent-Length: 1_0\n\n", "400 bad_content_length"},
	{"length with space", "POST / HTTP/1.1\nHost: a\nContent-Length: 1 0\n\n", "400 bad_content_length"},
	{"length list", "POST / HTTP/1.1\nHost: a\nContent-Length: 5, 5\n\n", "400 bad_content_length"},
	{"length overflow", "POST / HTTP/1.1\nHost: a\nContent-Length: 18446744073709551621\n\n", "400 bad_content_length"},
	{"length of 19 digits", "POST / HTTP/1.1\nHost: a\nContent-Length: 9223372036854775807\n\n", "400 bad_content_length"},
	{"length with Arabic digits", "POST / HTTP/1.1\nHost: a\nContent-Length: \u0665\n\n", "400 bad_content_length"},
	{"length twice", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\nContent-Length: 6\n\n", "400 duplicate_content_length"},
	{"length twice, equal", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\ncontent-length: 5\n\n", "400 duplicate_content_length"},

	// Transfer-Encoding.
	{"length and chunked", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked\n\n", "400 content_length_with_transfer_encoding"},
	{"chunked and length", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 5\n\n", "400 content_length_with_transfer_encoding"},
	{"chunked and length 0", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 0\n\n", "400 content_length_with_transfer_encoding"},
	{"coding empty", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding:\n\n", "400 bad_transfer_encoding"},
	{"coding identity", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: identity\n\n", "501 unknown_transfer_encoding"},
	{"coding gzip", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip\n\n", "501 unknown_transfer_encoding"},
	{"coding gzip, chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n", "501 unknown_transfer_encoding"},
	{"coding chunked, gzip", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, gzip\n\n", "400 bad_transfer_encoding"},
	{"coding chunked, chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked, chunked\n\n", "400 bad_transfer_encoding"},
	{"coding chunked twice", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n", "400 bad_transfer_encoding"},
	{"coding chunked, then identity", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n", "400 bad_transfer_encoding"},
	{"coding identity, then chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: identity\nTransfer-Encoding: chunked\n\n", "501 unknown_transfer_encoding"},
	{"coding xchunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\n", "501 unknown_transfer_encoding"},
	{"coding with a comma first", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: , chunked\n\n", "400 bad_transfer_encoding"},
	{"coding with a comma last", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked,\n\n", "400 bad_transfer_encoding"},
	{"coding with a parameter", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked;q=1\n\n", "400 bad_transfer_encoding"},
	{"coding in quotes", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: \"chunked\"\n\n", "400 bad_transfer_encoding"},
	{"coding with no-break space", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\xa0\n\n", "400 bad_transfer_encoding"},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\nTransfer-Encoding: chunked\n\n", "400 transfer_encoding_in_http10"},
	{"TRACE with a body", "TRACE / HTTP/1.1\nHost: a\nContent-Length: 1\n\n", "400 body_not_allowed"},

	// Connection and Expect.
	{"expectation unknown", "POST / HTTP/1.1\nHost: a\nExpect: 200-ok\n\n", "417 unknown_expectation"},
	{"expectation empty", "POST / HTTP/1.1\nHost: a\nExpect:\n\n", "417 unknown_expectation"},
	{"expectation list", "POST / HTTP/1.1\nHost: a\nExpect: 100-continue, x\n\n", "417 unknown_expectation"},
	{"connection option with space", "GET / HTTP/1.1\nHost: a\nConnection: a b\n\n", "400 bad_connection_option"},
	{"connection option in quotes", "GET / HTTP/1.1\nHost: a\nConnection: \"close\"\n\n", "400 bad_connection_option"},
	{"too many connection options", "GET / HTTP/1.1\nHost: a\nConnection: " + strings.Repeat("x,", 17) + "\n\n", "400 too_many_connection_options"},
}

func TestParseRequestRefuses(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range refusedRequests {
		t.Run(c.name, func(t *testing.T) {
			if seen[c.name] {
				t.Fatal("two cases have this name")
			}
			seen[c.name] = true
			var r wire.Request
			n, err := ParseRequest([]byte(crlf(c.in)), &r, nil)
			wantCode(t, err, c.want)
			if n != 0 {
				t.Errorf("consumed %d bytes of a refused head", n)
			}
		})
	}
}

// A refusal must not depend on how the bytes arrive: once a prefix is refused, so is all that begins with it, and no
// prefix is accepted.
func TestParseRequestRefusesEarly(t *testing.T) {
	for _, c := range refusedRequests {
		in := []byte(crlf(c.in))
		if len(in) > 1024 {
			continue // quadratic; limits have their own test
		}
		t.Run(c.name, func(t *testing.T) {
			var r wire.Request
			refused := false
			for i := 1; i <= len(in); i++ {
				n, err := ParseRequest(in[:i:i], &r, nil)
				if n > 0 {
					t.Fatalf("accepted %q", in[:i])
				}
				if refused && err == nil {
					t.Fatalf("%q was refused, %q is not", in[:i-1], in[:i])
				}
				refused = err != nil
			}
		})
	}
}
