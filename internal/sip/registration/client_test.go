package registration_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/line"
	door "parley/internal/sip"
	"parley/internal/sip/digest"
	"parley/internal/sip/registrar"
	"parley/internal/sip/registration"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody is an exchange that takes no calls.
type nobody struct{}

func (nobody) Accept(context.Context, line.Invite, line.Dialog) (door.Line, error) {
	return nil, fault.New(fault.NotFound, "X", "nobody")
}

// open runs a server until the test ends or stop is called.
func open(t *testing.T, o door.Options) (s *door.Server, stop func()) {
	t.Helper()
	o.Addr, o.Exchange, o.Timing.T1 = "127.0.0.1:0", nobody{}, 20*time.Millisecond
	o.Registration = registration.Timing{Retry: 100 * time.Millisecond, Most: 400 * time.Millisecond}
	s, err := door.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// provider is a server where 1001 may register.
func provider(t *testing.T) (*door.Server, *registrar.Registrar) {
	r := registrar.New(registrar.Options{
		Authority: digest.New(digest.Options{Realm: "provider", Failures: -1}), Least: 2 * time.Second,
		Lookup: func(_ context.Context, user string) (registrar.Extension, error) {
			return registrar.Extension{CustomerID: "c", Secret: digest.NewSecret(user, "provider", "secret")}, nil
		},
	})
	s, _ := open(t, door.Options{Register: r.Register, Authenticate: r.Authenticate})
	return s, r
}

// until waits for a state.
func until(t *testing.T, s *door.Server, what string, ok func(registration.State) bool) {
	t.Helper()
	var last []registration.State
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if last = s.Trunks().States(); len(last) == 1 && ok(last[0]) {
			return
		}
	}
	t.Fatalf("never %s: %+v", what, last)
}

func registered(st registration.State) bool {
	return st.Registered && st.Status == 200 && st.Reason == ""
}

func TestRegistration(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			there, r := provider(t)
			s, stop := open(t, door.Options{})
			trunk := registration.Trunk{
				ID: "a", Server: "sip:" + there.Addr().String() + ";transport=" + network, AOR: "sip:1001@" + there.Addr().String(),
				User: "1001", Password: "wrong", Expires: time.Second, // too brief: 2 s are wanted
			}
			s.Trunks().Set([]registration.Trunk{trunk})
			until(t, s, "refused", func(st registration.State) bool {
				return st.Status == 401 && strings.HasPrefix(st.Reason, "401 ") && !st.Registered
			})
			trunk.Password = "secret"
			s.Trunks().Set([]registration.Trunk{trunk})
			until(t, s, "registered", registered)
			first := r.Lookup("1001")
			if len(first) != 1 || first[0].Contact.User != "1001" || first[0].Contact.Port != int(s.Addr().Port()) {
				t.Fatalf("bindings %+v", first)
			}
			s.Trunks().Set([]registration.Trunk{trunk}) // changes nothing
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if again := r.Lookup("1001"); len(again) == 1 && again[0].Expires.Sub(first[0].Expires) > time.Second {
					break
				} else if len(again) != 1 || time.Now().After(end) {
					t.Fatalf("not refreshed: %+v", again)
				}
			}
			until(t, s, "registered", registered)
			if network == "udp" {
				s.Trunks().Set(nil)
			} else {
				stop()
			}
			for end := time.Now().Add(5 * time.Second); len(r.Lookup("1001")) > 0; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("not deregistered")
				}
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	s, _ := open(t, door.Options{Timing: door.Timing{Drain: 100 * time.Millisecond}})
	trunk := registration.Trunk{ID: "a", Server: "sip:" + c.LocalAddr().String(), AOR: "sip:1001@example.com", User: "1001", Password: "x"}
	s.Trunks().Set([]registration.Trunk{trunk})
	until(t, s, "unanswered", func(st registration.State) bool { return st.Status == 408 && st.Reason == "no answer" })
	trunk.Server = "sip:127.0.0.1:1;transport=tcp"
	s.Trunks().Set([]registration.Trunk{trunk})
	until(t, s, "unsent", func(st registration.State) bool {
		return st.Status == 503 && strings.HasPrefix(st.Reason, "cannot be sent")
	})
}

func TestPing(t *testing.T) {
	there, _ := provider(t)
	s, _ := open(t, door.Options{})
	trunk := registration.Trunk{ID: "a", Server: "sip:" + there.Addr().String(), Ping: 50 * time.Millisecond}
	s.Trunks().Set([]registration.Trunk{trunk})
	until(t, s, "reachable", func(st registration.State) bool {
		return st.Pinged && st.Reachable && st.RTT > 0 && !st.Changed.IsZero()
	})
	trunk.Server = "sip:127.0.0.1:1"
	s.Trunks().Set([]registration.Trunk{trunk})
	until(t, s, "unreachable", func(st registration.State) bool { return st.Reason == "no answer to OPTIONS" && !st.Reachable })
}

func TestBadTrunk(t *testing.T) {
	s, _ := open(t, door.Options{})
	s.Trunks().Set([]registration.Trunk{{ID: "a", Server: "nonsense", AOR: "sip:1001@example.com", Ping: time.Second}})
	until(t, s, "refused", func(st registration.State) bool { return st.Status == 503 && strings.Contains(st.Reason, "nonsense") })
}
