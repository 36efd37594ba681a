module github.com/blitz-gateway/blitz/test/giouring

go 1.26.0

require (
	github.com/blitz-gateway/blitz v0.0.0
	github.com/pawelgaczynski/giouring v0.0.0-20230826085535-69588b89acb9
	golang.org/x/sys v0.49.0
)

replace github.com/blitz-gateway/blitz => ../..
