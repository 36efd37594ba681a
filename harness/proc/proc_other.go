//go:build !linux

package proc

import (
	"os/exec"
	"time"
)

func ownGroup(*exec.Cmd)                 {}
func ignoreInterrupts()                  {}
func killGroup(int) error                { return nil }
func startPinned(*Process) error         { return ErrUnsupported }
func PinSelf([]int) error                { return ErrUnsupported }
func cpuTime(int) (time.Duration, error) { return 0, ErrUnsupported }

func RaiseFileLimit(uint64) (uint64, error) { return 0, ErrUnsupported }

func stopGroup(*Process, time.Duration) error { return ErrUnsupported }

func (p *Process) PIDs() ([]int, error)                 { return nil, ErrUnsupported }
func (p *Process) Memory() (Memory, error)              { return Memory{}, ErrUnsupported }
func (p *Process) CPUWithEnded() (time.Duration, error) { return 0, ErrUnsupported }

func OwnCPU() (time.Duration, error)  { return 0, ErrUnsupported }
func Census() map[int]Citizen         { return nil }
func Spin(int) (time.Duration, error) { return 0, ErrUnsupported }

func Gaps(int, time.Duration) (lost, longest time.Duration, err error) { return 0, 0, ErrUnsupported }

// markedProcesses: there is no /proc to look into.
func markedProcesses(string) []member { return nil }
