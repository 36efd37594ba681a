//go:build !linux

package machine

import "errors"

// ReadCard is for Linux.
func ReadCard(string) (Card, error) { return Card{}, errors.ErrUnsupported }
