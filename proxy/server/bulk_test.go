package server

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A connection that has brought a large response waits for the next with large buffers. Whatever that turns out to be, its bytes arrive as they are.
func TestResponsesOfAllSizesBehindLargeOnes(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		var p *peer
		text := func(n int) string {
			var b strings.Builder
			for i := 0; b.Len() < n; i++ {
				fmt.Fprintf(&b, "%07d ", i)
			}
			return b.String()[:n]
		}
		for i, size := range []int{1 << 20, 1 << 20, 5, 300_000, 0, 300_000, 16 << 10, 70_000, 200_000, 64 << 10, 1 << 20} {
			c.send(request("GET", "/"+fmt.Sprint(i), ""))
			if p == nil {
				p = o.accept()
			}
			p.request()
			body := text(size)
			answer := ok(body)
			early := i%3 == 1
			switch {
			case early:
				answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer
			case i%3 == 2 && size > 0:
				half := size / 2
				answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
					half, body[:half], size-half, body[half:])
			}
			go io.WriteString(p, answer) // it may have to wait for the client to read
			if early {
				require.Equal(t, 103, c.response("GET").StatusCode)
			}
			resp := c.response("GET")
			require.NoError(t, resp.Err)
			require.True(t, body == resp.Text, "response %d of %d bytes: other bytes", i, size)
		}
		c.Close()
	})
}
