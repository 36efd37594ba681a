package server

import (
	"context"
	_ "embed"

	"github.com/blitz-gateway/blitz/proxy/admin"
)

// pageHTML is the whole page: nothing is loaded from elsewhere but the answers of /status, /routes and /clusters.
//
//go:embed page.html
var pageHTML []byte

func page(context.Context, *admin.Request) admin.Response {
	return admin.Response{Status: 200, Type: admin.HTML, Body: pageHTML}
}
