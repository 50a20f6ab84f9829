package route

import (
	"net/url"

	"parley/internal/wire"
)

// Transports of a trunk.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
)

// Ways in which this server and the far end of a trunk know each other.
const (
	Register = "register" // this server registers there with user name and password, and answers challenges with them
	Digest   = "digest"   // this server answers challenges with user name and password
	Address  = "address"  // the far end knows this server by its address
)

// Mask stands for a password that is not told.
const Mask = "********"

// Trunk is a way to other networks, as the API writes it but for the password.
type Trunk struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Name       string `json:"name"`
	Detail     string `json:"detail"`
	Enabled    bool   `json:"enabled"`
	Peer
	Login
	Identity
	Routing
	Codecs []string `json:"codecs"` // names in SDP in the order of preference; empty: all that there are
	Limits Limits   `json:"limits"`
	Times
}

// Peer is the far end.
type Peer struct {
	Host      string `json:"host"`
	Port      int    `json:"port"` // 0: what DNS says, or the default of the transport
	Transport string `json:"transport"`
	SRTP      bool   `json:"srtp"` // calls out offer SRTP (RFC 4568) and nothing else
}

// Login is how both ends know each other.
type Login struct {
	Auth     string   `json:"auth"`
	Username string   `json:"username"`
	Password string   `json:"password"`
	Sources  []string `json:"sources"` // CIDRs: calls from there are this trunk's, without another proof
}

// Identity says who is calling.
type Identity struct {
	CallerID       string `json:"caller_id"`       // user part of From in calls out, whoever calls; "": the source's number, else the user name
	AssertIdentity bool   `json:"assert_identity"` // send P-Asserted-Identity (RFC 3325)
	TrustIdentity  bool   `json:"trust_identity"`  // believe the P-Asserted-Identity of calls that come in
}

// Routing says which numbers go over the trunk.
type Routing struct {
	Prefixes []Prefix `json:"prefixes"`
	Priority int      `json:"priority"` // lower ones first
	Weight   int      `json:"weight"`   // share among those of the same priority; 0: only when the others have failed
}

// Prefix is one rule: numbers that begin with it go over the trunk, as Add and their digits without the first Strip ones.
type Prefix struct {
	Prefix string `json:"prefix"` // E.164 with its +; "+" is every number
	Strip  int    `json:"strip"`
	Add    string `json:"add"`
}

// Limits of what may go over a trunk, or of what a customer may do; 0: none.
type Limits struct {
	CallsPerSecond int `json:"calls_per_second"`
	CallsPerMinute int `json:"calls_per_minute"`
	Concurrent     int `json:"concurrent"`
	MinutesPerDay  int `json:"minutes_per_day"` // of talk, all calls together; the day is UTC's
}

// Times of a trunk.
type Times struct {
	Created wire.Time `json:"tm_create"`
	Updated wire.Time `json:"tm_update"`
	Deleted wire.Time `json:"tm_delete"`
}

// Masked returns the trunk without its password.
func (t Trunk) Masked() Trunk {
	if t.Password != "" {
		t.Password = Mask
	}
	return t
}

// URI returns where requests for the trunk go.
func (t *Trunk) URI() string { return "sip:" + t.hostport() }

// AOR returns the address that is registered with the trunk, as a SIP URI.
func (t *Trunk) AOR() string { return "sip:" + url.PathEscape(t.Username) + "@" + joinHost(t.Host, 0) }

func (t *Trunk) hostport() string {
	at := joinHost(t.Host, t.Port)
	if t.Transport != UDP {
		at += ";transport=" + t.Transport
	}
	return at
}
