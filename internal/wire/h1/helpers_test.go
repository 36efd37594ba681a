package h1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// crlf lets tables be written with \n for CRLF; ␍ and ␊ stand for a bare CR and LF.
func crlf(s string) string {
	return strings.NewReplacer("\n", "\r\n", "␍", "\r", "␊", "\n").Replace(s)
}

func code(err *wire.Error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%d %s", err.Status, err.Code)
}

func wantCode(t *testing.T, err *wire.Error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// fieldLines renders fields as "Name=value", with a '-' in front of those that are not forwarded.
func fieldLines(fields []wire.Field) []string {
	var out []string
	for _, f := range fields {
		s := fmt.Sprintf("%s=%s", f.Name, f.Value)
		if f.Hop {
			s = "-" + s
		}
		out = append(out, s)
	}
	return out
}

const wrkGet = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"

const smallGet = "GET /v1/items/42 HTTP/1.1\r\nHost: api.example.com\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n"

const browserGet = "GET /static/app/main.js?v=20240117 HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"Connection: keep-alive\r\n" +
	"Cache-Control: max-age=0\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"120\", \"Not A Brand\";v=\"24\"\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Referer: https://www.example.com/index.html\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\n\r\n"

const originOK = "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 15 Jan 2024 10:00:00 GMT\r\nContent-Type: text/plain\r\n" +
	"Content-Length: 1024\r\n\r\n"
