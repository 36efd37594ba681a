module github.com/blitz-gateway/blitz

go 1.26
