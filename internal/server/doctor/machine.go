package doctor

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	freeLeast   = 1 << 30               // bytes in the data folder; below it a day of recordings may not fit
	syncSlow    = 20 * time.Millisecond // of one fsync; each change of a conference waits for one
	filesLeast  = 4096                  // open files; a call takes two sockets, a webhook and a stream one
	bufferLeast = 1 << 20               // bytes of net.core.rmem_max
	expirySoon  = 14 * 24 * time.Hour
)

// folder looks at the data folder: whether it can be written, how full the disk is, and how long a commit to it takes.
func (v *visit) folder() {
	dir := v.c.Data
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		dir = filepath.Dir(filepath.Clean(dir))
		if _, err := os.Stat(dir); err != nil {
			v.fail("data", "make the folder, or name another with --data", "%s is not there: %v", dir, err)
			return
		}
	}
	took, err := syncTime(dir)
	if err != nil {
		v.fail("data", "let the server's user write there, or name another folder with --data", "%s cannot be written: %v", dir, err)
		return
	}
	if took > syncSlow {
		v.warn("data", "use a disk of this machine: each change waits for a commit", "writes to %s take %v to be safe", dir, took.Round(time.Millisecond/10))
	} else {
		v.ok("data", "%s can be written; a write is safe after %v", dir, took.Round(time.Millisecond/100))
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		v.warn("disk", "look at the disk with df", "cannot tell how full the disk of %s is: %v", dir, err)
		return
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	switch {
	case free < int64(v.c.Recording.MinFree)<<20:
		v.fail("disk", "make room, or recordings are refused (recording.min_free)", "%d MiB free in %s", free>>20, dir)
	case free < freeLeast:
		v.warn("disk", "make room", "%d MiB free in %s", free>>20, dir)
	default:
		v.ok("disk", "%d GiB free in %s", free>>30, dir)
	}
}

// syncTime is the median time of a few small writes that are made safe.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took []time.Duration
	for range 9 {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// limits looks at what the kernel allows.
func (v *visit) limits() {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil {
		if files.Max < filesLeast {
			v.warn("open files", "raise it: LimitNOFILE=65536 in the systemd unit, or ulimit -Hn", "at most %d; a call takes two", files.Max)
		} else {
			v.ok("open files", "at most %d; a call takes two", files.Max)
		}
	}
	text, err := os.ReadFile(filepath.Join(v.proc, "sys/net/core/rmem_max"))
	if most, err2 := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && err2 == nil {
		if most < bufferLeast {
			v.warn("udp buffer", "sysctl -w net.core.rmem_max=4194304, and the same in /etc/sysctl.d", "sockets get at most %d KiB: bursts of SIP may be lost", most>>10)
		} else {
			v.ok("udp buffer", "sockets get up to %d KiB", most>>10)
		}
	}
}

// clock looks at the time: certificates, tokens and the log depend on it.
func (v *visit) clock() {
	now := time.Now().UTC()
	if now.Year() < 2026 {
		v.fail("clock", "set it, and keep it right with chrony or systemd-timesyncd", "this machine thinks it is %s", now.Format(time.RFC3339))
		return
	}
	var x unix.Timex
	state, err := unix.Adjtimex(&x)
	if err == nil && (state == unix.TIME_ERROR || x.Status&unix.STA_UNSYNC != 0) {
		v.warn("clock", "install chrony or systemd-timesyncd, unless the host keeps it right", "%s, but nothing keeps it right as far as the kernel knows", now.Format(time.RFC3339))
		return
	}
	v.ok("clock", "%s, kept right", now.Format(time.RFC3339))
}

// voices looks for the programs that speak texts.
func (v *visit) voices() {
	var there, missing []string
	for _, name := range []string{"flite", "espeak-ng"} {
		if _, err := exec.LookPath(name); err == nil {
			there = append(there, name)
		} else {
			missing = append(missing, name)
		}
	}
	switch {
	case len(there) == 0:
		v.warn("voices", "apt-get install flite espeak-ng", "neither flite nor espeak-ng is installed: texts are refused with VOICE_UNAVAILABLE")
	case len(missing) > 0:
		v.warn("voices", "apt-get install "+missing[0], "%s is installed, %s is not: texts of its languages are refused", there[0], missing[0])
	default:
		v.ok("voices", "flite and espeak-ng are installed")
	}
}

// certificate looks at the files of SIP over TLS.
func (v *visit) certificate() {
	t := v.c.TLS
	if t.Cert == "" {
		if v.c.Dev {
			v.ok("certificate", "--dev makes one that nobody vouches for")
		} else {
			v.ok("certificate", "none: no SIP over TLS (sip_tls.cert, sip_tls.key)")
		}
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		v.fail("certificate", "name PEM files that belong together and that the server's user may read", "%s and %s cannot be used: %v", t.Cert, t.Key, err)
		return
	}
	left := time.Until(pair.Leaf.NotAfter)
	until := pair.Leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		v.fail("certificate", "renew it; the server reads the new files by itself", "%s is over since %s", t.Cert, until)
	case time.Until(pair.Leaf.NotBefore) > 0:
		v.fail("certificate", "wait, or set the clock", "%s is not good before %s", t.Cert, pair.Leaf.NotBefore.UTC().Format(time.RFC3339))
	case left < expirySoon:
		v.warn("certificate", "renew it; the server reads the new files by itself", "%s is good until %s, %d days", t.Cert, until, int(left.Hours())/24)
	default:
		v.ok("certificate", "for %s, good until %s", strings.Join(append(pair.Leaf.DNSNames, ips(pair.Leaf.IPAddresses)...), ", "), until)
	}
	if info, err := os.Stat(t.Key); err == nil && info.Mode().Perm()&0o007 != 0 {
		v.warn("certificate", "chmod o-rwx "+t.Key, "everybody on this machine may read the key %s", t.Key)
	}
}

func ips[T fmt.Stringer](list []T) (out []string) {
	for _, ip := range list {
		out = append(out, ip.String())
	}
	return out
}
