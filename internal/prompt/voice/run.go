package voice

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	niceness   = 10
	mostOutput = 1 << 20
)

// bounded keeps the begin of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(mostOutput-b.Len(), 0))])
	return len(p), nil
}

// run runs a program to its end, in a group of its own that dies as a whole, and behind everything else that wants the processor.
func run(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bounded
	cmd.Stdout = &out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, niceness)
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.Bytes(), err
}

// speak runs a program and says why it could not.
func (s *Speaker) speak(ctx context.Context, in installed, args []string) error {
	_, err := run(ctx, exec.CommandContext(ctx, in.path, args...))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("%s took longer than %v: use a shorter text", in.name, s.o.Timeout)
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		s.mu.Lock()
		delete(s.found, in.name) // it may have been removed
		s.mu.Unlock()
		return unavailable("%s failed (%v): try again or use another provider", in.name, err)
	}
	return nil
}
