// Package config is one struct with every setting and its default, and the way to fill it: defaults, then the file, then
// PARLEY_… variables, then flags. It checks everything and starts nothing; only package server reads it.
package config

import (
	"net/netip"
	"time"
)

// Config is every setting. The key tag is the setting's name in the file (dots are levels) and, upper-cased with
// underscores after PARLEY_, in the environment; the flag tag is its flag, where it has one; doc is one line of why.
type Config struct {
	Dev   bool   `key:"dev" flag:"dev" doc:"for trying out on one machine: anonymous joins and calls, loopback targets; loopback addresses only"`
	Data  string `key:"data" flag:"data" doc:"folder of the database, recordings and the first access key"`
	HTTP  string `key:"http" flag:"http" doc:"address of API and console"`
	Admin string `key:"admin" flag:"admin" doc:"address of /healthz, /readyz and /metrics; empty: on the HTTP address"`
	SIP   string `key:"sip" flag:"sip" doc:"address of SIP over UDP and TCP"`

	AccessKey string `key:"access_key" secret:"true" doc:"first customer's access key of a new store, 16 or more characters; empty: one is made"`

	MediaIP    string `key:"media.ip" flag:"media-ip" doc:"address of RTP sockets, as written into SDP; empty: that of sip"`
	MediaPorts string `key:"media.ports" flag:"media-ports" doc:"range of RTP ports, LOW-HIGH"`

	API       API
	Room      Room
	Chat      Chat
	Recording Recording
	Prompts   Prompts
	S3        S3
	Session   Session
	TLS       TLS
	Webhooks  Webhooks
	CallsOut  CallsOut
	Limits    Limits
	Log       Log
}

// API settings.
type API struct {
	TimeoutCompat      bool          `key:"api.timeout_compat" doc:"take conference timeouts of 1-59 s as 24 h, as VoIPBIN does, instead of refusing them"`
	RateAddress        float64       `key:"api.rate_per_address" doc:"requests per second of one client address; 0: no limit"`
	RateCustomer       float64       `key:"api.rate_per_customer" doc:"requests per second of one customer; 0: no limit"`
	Timeout            time.Duration `key:"api.timeout" doc:"longest time to read a request"`
	TokenKey           string        `key:"api.token_key" secret:"true" doc:"signs the tokens of agents, 32 or more bytes; empty: one is made and kept in the data folder"`
	StreamsPerKey      int           `key:"api.streams_per_key" doc:"most WebSockets and event streams at once of one access key"`
	MediaStreamsPerKey int           `key:"api.media_streams_per_key" doc:"most streams of sound at once of one access key"`
}

// Webhooks settings.
type Webhooks struct {
	Schedule     []time.Duration `key:"webhooks.schedule" doc:"wait before each attempt, give or take a tenth; after the last one a delivery is a dead letter"`
	AllowTargets []string        `key:"webhooks.allow_targets" doc:"networks (CIDR) that are called although they are not public"`
	Timeout      time.Duration   `key:"webhooks.timeout" doc:"longest time for a complete answer"`
	DisableAfter time.Duration   `key:"webhooks.disable_after" doc:"an endpoint that takes nothing for so long is disabled"`
	Keep         time.Duration   `key:"webhooks.keep" doc:"how long finished deliveries are listed"`
	Workers      int             `key:"webhooks.workers" doc:"requests at once for one endpoint"`
	Pending      int             `key:"webhooks.pending" doc:"events that one endpoint may have pending before reading for it pauses; the log keeps the rest"`
}

// Room settings.
type Room struct {
	MaxParticipants int           `key:"room.max_participants" doc:"most participants of one conference"`
	MaxAge          time.Duration `key:"room.max_age" doc:"longest stay of one participant"`
	LeavingDeadline time.Duration `key:"room.leaving_deadline" doc:"longest time that a participant stays leaving"`
	HealthInterval  time.Duration `key:"room.health_interval" doc:"time between health checks of participants"`
	MediaTimeout    time.Duration `key:"room.media_timeout" doc:"silence on the wire that a health check counts as a failure"`
	HealthRetries   int           `key:"room.health_retries" doc:"failed health checks that are forgiven"`
}

// Chat settings: the messages of conferences.
type Chat struct {
	Text          int `key:"chat.text" doc:"most characters of one message"`
	PerSender     int `key:"chat.per_sender" doc:"messages that one writer may write or edit in one conference in a minute"`
	PerConference int `key:"chat.per_conference" doc:"the same for all writers of a conference together"`
}

// Recording settings.
type Recording struct {
	MinFree        int           `key:"recording.min_free" doc:"MiB that must be free to start a recording; one that runs ends when half of them are left"`
	GiveUp         time.Duration `key:"recording.give_up" doc:"how long a disk may refuse before a recording ends"`
	FinishDeadline time.Duration `key:"recording.finish_deadline" doc:"longest time to make the file of a recording that has stopped"`
	Announcement   string        `key:"recording.announcement" doc:"what each leg hears before it is recorded, where recording_notice is announce: WAV file, URL or text to be spoken; empty: three tones"`
	AskConsent     string        `key:"recording.ask_consent" doc:"the same where recording_notice is press_1"`
	KeyFile        string        `key:"recording.key_file" doc:"file with the age key (age-keygen -o FILE) that recordings and, in the database, passwords are encrypted with; empty: they are not"`
	Redirect       bool          `key:"recording.redirect" doc:"GET /recordings/{id}/file answers with a redirection to the bucket, where that is and recordings are not encrypted: clients have to reach it"`
	Retention      time.Duration `key:"recording.retention" doc:"how long recordings are kept after their end; 0s: until they are deleted"`
}

// Prompts settings: sounds that are fetched or spoken.
type Prompts struct {
	Language string        `key:"prompts.language" doc:"language of texts that name none, as BCP 47"`
	MaxSize  int           `key:"prompts.max_size" doc:"MiB that a sound may have when it is fetched"`
	Longest  time.Duration `key:"prompts.longest" doc:"how long a sound may be"`
	Timeout  time.Duration `key:"prompts.timeout" doc:"longest time to fetch a sound"`
	Kept     int           `key:"prompts.kept" doc:"MiB of fetched and spoken sounds that are kept in the data folder"`
}

// S3 settings: where files are kept instead of the data folder.
type S3 struct {
	Bucket    string `key:"s3.bucket" doc:"bucket for the files of recordings, which must be there; empty: they are kept in the data folder"`
	Endpoint  string `key:"s3.endpoint" doc:"host and port of the store that speaks S3"`
	Insecure  bool   `key:"s3.insecure" doc:"HTTP instead of HTTPS"`
	Region    string `key:"s3.region" doc:"region of the bucket; empty: the store is asked"`
	Prefix    string `key:"s3.prefix" doc:"in front of every key, for example parley/"`
	AccessKey string `key:"s3.access_key" doc:"access key of the store"`
	SecretKey string `key:"s3.secret_key" secret:"true" doc:"secret key of the store"`
}

// Session settings of SIP.
type Session struct {
	Expires    time.Duration `key:"sip_session.expires" doc:"Session-Expires that we ask for (RFC 4028)"`
	MinExpires time.Duration `key:"sip_session.min" doc:"smallest Session-Expires that we accept (RFC 4028 Min-SE)"`
	NonceLife  time.Duration `key:"sip_session.nonce_life" doc:"how long a digest nonce is good for"`
	Realm      string        `key:"sip_session.realm" doc:"realm of digest authentication"`
}

// CallsOut settings: which calls to other networks may be made. Phones of this server, and its conferences, may always be called.
type CallsOut struct {
	AllowNumbers   []string `key:"calls_out.allow_numbers" doc:"beginnings of the numbers that may be called, as +49; ! before one denies, + is all numbers, CUSTOMER-ID/ before one makes it that customer's; empty: none"`
	AllowSIP       []string `key:"calls_out.allow_sip" doc:"hosts of the SIP addresses that may be called: NAME, *.NAME, ADDRESS, ADDRESS/BITS or *, with CUSTOMER-ID/ before one as above; empty: none, but loopback with dev"`
	CallsPerMinute int      `key:"calls_out.calls_per_minute" doc:"most calls out of one customer in a minute; 0: no limit"`
	Concurrent     int      `key:"calls_out.concurrent" doc:"most calls out of one customer at once; 0: no limit"`
	MinutesPerDay  int      `key:"calls_out.minutes_per_day" doc:"most minutes of talk of one customer's calls out on one day (UTC), after which they are ended; 0: no limit"`
}

// TLS settings of SIP.
type TLS struct {
	Addr string `key:"sip_tls.addr" doc:"address of SIP over TLS; empty: the port after that of sip, 5061"`
	Cert string `key:"sip_tls.cert" doc:"file of the certificate and of those that vouch for it (PEM), read again when it changes; empty: no TLS, but in --dev a certificate of its own"`
	Key  string `key:"sip_tls.key" doc:"file of the certificate's key (PEM)"`
	CA   string `key:"sip_tls.ca" doc:"file of the certificates (PEM) that trunks and phones called over TLS are verified with; empty: the system's"`
}

// Limits of the node.
type Limits struct {
	Calls      int           `key:"limits.calls" doc:"most calls at once; 0: as many as the media loops carry"`
	InviteRate float64       `key:"limits.invite_rate" doc:"INVITEs per second of one source address that is not loopback; negative: no limit"`
	SIPIdle    time.Duration `key:"limits.sip_idle" doc:"how long a SIP connection (TCP, TLS) may be silent; longer than a registration lasts"`
	MediaBusy  float64       `key:"limits.media_busy" doc:"share of a media loop's time above which new calls get 503"`
}

// Log settings.
type Log struct {
	Level  string `key:"log.level" live:"true" doc:"debug, info, warn or error"`
	Format string `key:"log.format" doc:"text or json"`
}

// Default returns the settings that need nothing else.
func Default() Config {
	return Config{
		Data:       "./data",
		HTTP:       "127.0.0.1:8080",
		SIP:        "127.0.0.1:5060",
		MediaPorts: "20000-29999",
		API:        API{Timeout: 30 * time.Second, StreamsPerKey: 100, MediaStreamsPerKey: 20},
		Room: Room{
			MaxParticipants: 2000, MaxAge: 24 * time.Hour, LeavingDeadline: 5 * time.Second,
			HealthInterval: 5 * time.Second, MediaTimeout: 5 * time.Second, HealthRetries: 2,
		},
		Chat:      Chat{Text: 4096, PerSender: 60, PerConference: 600},
		Recording: Recording{MinFree: 128, GiveUp: 5 * time.Second, FinishDeadline: 30 * time.Minute},
		Prompts:   Prompts{Language: "en-US", MaxSize: 20, Longest: 30 * time.Minute, Timeout: 15 * time.Second, Kept: 512},
		Session:   Session{Expires: 30 * time.Minute, MinExpires: 90 * time.Second, NonceLife: 5 * time.Minute, Realm: "parley"},
		Webhooks: Webhooks{
			Schedule: []time.Duration{0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour},
			Timeout:  15 * time.Second, DisableAfter: 5 * 24 * time.Hour, Keep: 30 * 24 * time.Hour, Workers: 32, Pending: 5000,
		},
		CallsOut: CallsOut{CallsPerMinute: 60, Concurrent: 50, MinutesPerDay: 1500},
		Limits:   Limits{InviteRate: 50, SIPIdle: 65 * time.Minute, MediaBusy: 0.75},
		Log:      Log{Level: "info", Format: "text"},
	}
}

// Media returns the address and the port range of RTP.
func (c *Config) Media() (ip netip.Addr, low, high uint16, err error) {
	text := c.MediaIP
	if text == "" {
		at, err := netip.ParseAddrPort(c.SIP)
		if err != nil {
			return ip, 0, 0, invalid("sip", c.SIP, "want IP:PORT, for example 127.0.0.1:5060")
		}
		text = at.Addr().String()
	}
	ip, err = netip.ParseAddr(text)
	if err != nil || ip.IsUnspecified() {
		return ip, 0, 0, invalid("media.ip", text, "want the address that phones send audio to, for example 192.0.2.10")
	}
	low, high, err = portRange(c.MediaPorts)
	return ip, low, high, err
}
