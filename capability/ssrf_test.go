package capability

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// anyway grants a host with both schemes and all methods that these tests use, so that nothing but the check at hand refuses.
func anyway(hosts ...string) (g Grants) {
	for _, h := range hosts {
		g.HTTP = append(g.HTTP, HTTPRule{Host: h, Schemes: []string{"http", "https"}, Methods: []string{"GET", "POST"}})
	}
	return g
}

// A name that is granted and leads to an address that is not public reaches nothing.
func TestNamesThatLeadInside(t *testing.T) {
	addresses := []string{
		"127.0.0.1", "127.1.2.3", "127.255.255.255", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
		"192.168.0.1", "192.168.255.254", "169.254.169.254", "169.254.170.2", "169.254.0.1", "100.64.0.1", "100.127.255.255", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
		"224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
		"64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:2::1",
		"2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "fd00:ec2::254", "fd20:ce::254", "fc00::1", "fdff::1",
		"fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "5f00::1", "e000::1",
		"2a00:1450::5efe:127.0.0.1", "2a00:1450::200:5efe:10.0.0.1", "64:ff9b:1:ffff::1", "192.0.0.170", "169.254.42.42",
		"93.184.216.34 127.0.0.1", "127.0.0.1 93.184.216.34", "93.184.216.34 ::1",
	}
	for _, list := range addresses {
		for _, scheme := range []string{"https", "http"} {
			t.Run(scheme+" "+list, func(t *testing.T) {
				r := newHTTPRig(t)
				r.names["inside.example.com"] = [][]string{strings.Fields(list)}
				got := send(t, r.door(anyway("inside.example.com")), get(scheme+"://inside.example.com/"), nil)
				outer, inner, dialed := r.seen()
				if got.code != AddressRefused || outer != 0 || inner != 0 || len(dialed) > 0 || r.lookups != 1 {
					t.Errorf("%+v; %d and %d requests, dialed %v, %d lookups", got, outer, inner, dialed, r.lookups)
				}
				if !strings.Contains(got.note, "networks = [") && !strings.Contains(list, "%") {
					t.Errorf("the note %q does not say how to grant it", got.note)
				}
			})
		}
	}
}

// URLs that are made to be read in two ways, or that leave what is granted, reach nothing, whatever a name would resolve to.
func TestURLsThatAreRefused(t *testing.T) {
	inside := [][]string{{"127.0.0.1"}}
	for _, test := range []struct {
		url    string
		code   string
		grants []string // example.com if there are none
	}{
		// numbers that some take for 127.0.0.1
		{"http://2130706433/", BadURL, []string{"2130706433"}},
		{"http://017700000001/", BadURL, []string{"017700000001"}},
		{"http://0x7f000001/", BadURL, []string{"0x7f000001"}},
		{"http://0x7f.1/", BadURL, []string{"0x7f.1"}},
		{"http://0177.0.0.1/", BadURL, []string{"0177.0.0.1"}},
		{"http://127.1/", BadURL, []string{"127.1"}},
		{"http://127.0.1/", BadURL, []string{"127.0.1"}},
		{"http://127.0.0.01/", BadURL, []string{"127.0.0.01"}},
		{"http://127.0.0.0x1/", BadURL, []string{"127.0.0.0x1"}},
		{"http://127.0.0.1.1/", BadURL, []string{"127.0.0.1.1"}},
		{"http://00000000127.0.0.1/", BadURL, []string{"00000000127.0.0.1"}},
		{"http://example.com.1/", BadURL, []string{"example.com.1"}},
		// letters that some fold
		{"http://127。0。0。1/", BadURL, []string{"*.com"}},
		{"http://①②⑦.⓪.⓪.①/", BadURL, []string{"*.com"}},
		{"http://exаmple.com/", BadURL, []string{"*.com"}}, // a Cyrillic letter
		{"http://exam%70le.com%2f@127.0.0.1/", BadURL, nil},
		{"http://127.0.0.1%00.example.com/", BadURL, []string{"*.example.com"}},
		{"http://127.0.0.1%23.example.com/", BadURL, []string{"*.example.com"}},
		// addresses of a kind that has another name
		{"http://[::ffff:127.0.0.1]/", BadURL, []string{"[::ffff:127.0.0.1]"}},
		{"http://[::ffff:7f00:1]/", BadURL, []string{"[::ffff:127.0.0.1]"}},
		{"http://[fe80::1%25lo]/", BadURL, []string{"[fe80::1]"}},
		{"http://[::1/", BadURL, []string{"[::1]"}},
		{"http://[127.0.0.1]/", BadURL, []string{"127.0.0.1"}},
		{"http://[::1]x/", BadURL, []string{"[::1]"}},
		// addresses that are not granted
		{"http://127.0.0.1/", NotGranted, nil},
		{"https://127.0.0.1/", NotGranted, []string{"*.0.0.1"}},
		{"http://[::1]/", NotGranted, nil},
		{"http://169.254.169.254/latest/meta-data/", NotGranted, nil},
		{"https://93.184.216.34/", NotGranted, nil},
		// users and passwords
		{"https://example.com@127.0.0.1/", BadURL, nil},
		{"https://user:secret@example.com/", BadURL, nil},
		{"https://@example.com/", BadURL, nil},
		{"https://example.com:443@127.0.0.1/", BadURL, nil},
		{"https://127.0.0.1\\@example.com/", BadURL, nil},
		{"https://127.0.0.1#@example.com/", NotGranted, nil},
		{"https://127.0.0.1?@example.com/", NotGranted, nil},
		{"https://127.0.0.1/@example.com/", NotGranted, nil},
		{"https://127.0.0.1;@example.com/", BadURL, nil},
		// ports
		{"https://example.com:22/", NotGranted, nil},
		{"https://example.com:80/", NotGranted, []string{"example.com:443"}},
		{"http://example.com:443/", NotGranted, nil},
		{"https://example.com:0/", BadURL, nil},
		{"https://example.com:65536/", BadURL, nil},
		{"https://example.com:0443/", BadURL, nil},
		{"https://example.com:+443/", BadURL, nil},
		{"https://example.com:443:80/", BadURL, nil},
		{"https://example.com/", NotGranted, []string{"example.com:8443"}},
		// schemes
		{"unix:///var/run/docker.sock", BadURL, nil},
		{"http+unix://%2Fvar%2Frun%2Fdocker.sock/info", BadURL, nil},
		{"unix://example.com/", BadURL, nil},
		{"file:///etc/passwd", BadURL, nil},
		{"file://example.com/etc/passwd", BadURL, nil},
		{"ftp://example.com/", BadURL, nil},
		{"gopher://example.com/", BadURL, nil},
		{"ws://example.com/", BadURL, nil},
		{"data:text/plain,x", BadURL, nil},
		{"https:example.com", BadURL, nil},
		{"https:/example.com", BadURL, nil},
		{"//example.com/", BadURL, nil},
		{"example.com", BadURL, nil},
		{"/etc/passwd", BadURL, nil},
		{"", BadURL, nil},
		{"https://", BadURL, nil},
		{"https://:443/", BadURL, nil},
		// dots and names that only look alike
		{"https://example.com../", BadURL, nil},
		{"https://.example.com/", BadURL, nil},
		{"https://a..example.com/", BadURL, []string{"*.example.com"}},
		{"https://localhost./", AddressRefused, []string{"localhost"}},
		{"https://localhost/", AddressRefused, []string{"localhost."}},
		{"https://LOCALHOST/", AddressRefused, []string{"localhost"}},
		{"https://app.localhost/", AddressRefused, []string{"*.localhost"}},
		{"https://example.com.evil.test/", NotGranted, nil},
		{"https://notexample.com/", NotGranted, []string{"*.example.com"}},
		{"https://example.com/", NotGranted, []string{"*.example.com"}},
		{"https://com/", NotGranted, []string{"*.com"}},
		// lines
		{"https://example.com/\r\nHost: x", BadURL, nil},
		{"https://example.com\r\n/", BadURL, nil},
		{"https://exam ple.com/", BadURL, nil},
		{" https://example.com/", BadURL, nil},
		{"https://example.com/" + strings.Repeat("a", 9000), BadURL, nil},
	} {
		t.Run(test.url[:min(len(test.url), 60)], func(t *testing.T) {
			r := newHTTPRig(t)
			for _, name := range []string{"2130706433", "0x7f.1", "127.1", "localhost", "app.localhost", "notexample.com", "example.com.evil.test", "com"} {
				r.names[name] = inside
			}
			if test.grants == nil {
				test.grants = []string{"example.com"}
			}
			got := send(t, r.door(anyway(test.grants...)), get(test.url), nil)
			outer, inner, dialed := r.seen()
			if got.code != test.code || outer != 0 || inner != 0 || len(dialed) > 0 {
				t.Errorf("%+v; %d and %d requests, dialed %v", got, outer, inner, dialed)
			}
		})
	}
}

// A redirect is judged as if the guest had asked for it.
func TestRedirectsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		location string
		status   int
		method   string
	}{
		{"http://127.0.0.1/", 302, "GET"}, {"https://127.0.0.1/", 302, "GET"}, {"//127.0.0.1/", 301, "GET"}, {"http://[::1]/", 307, "GET"},
		{"http://169.254.169.254/", 303, "GET"}, {"http://2130706433/", 302, "GET"}, {"http://[::ffff:127.0.0.1]/", 302, "GET"},
		{"https://inside.example.com/", 302, "GET"},      // granted, and leads inside
		{"https://rebound.example.com/", 308, "GET"},     // was public a moment ago
		{"https://example.com:8080/", 302, "GET"},        // another port
		{"http://example.com/", 302, "GET"},              // to plain text
		{"https://other.test/", 302, "GET"},              // another host
		{"https://user@example.com/next", 302, "GET"},    //
		{"file:///etc/passwd", 302, "GET"},               //
		{"unix:///var/run/docker.sock", 302, "GET"},      //
		{"https://example.com/endless", 302, "GET"},      // for ever
		{"https://example.com/private/x", 302, "GET"},    // another path
		{"/private/x", 302, "GET"},                       //
		{"../private/x", 302, "GET"},                     //
		{"https://www.example.com/post", 307, "POST"},    // GET is granted there, POST is not
		{"https://www.example.com/%zz", 302, "GET"},      //
		{"javascript:alert(1)", 302, "GET"},              //
		{"https://example.com\\@127.0.0.1/", 302, "GET"}, //
	} {
		t.Run(fmt.Sprint(test.status, " ", test.location), func(t *testing.T) {
			r := newHTTPRig(t)
			r.names["inside.example.com"] = [][]string{{"10.0.0.1"}}
			r.names["rebound.example.com"] = [][]string{{public.String()}, {"127.0.0.1"}}
			var asked []string
			r.handler = func(w http.ResponseWriter, req *http.Request) {
				asked = append(asked, req.Host+req.URL.Path)
				w.Header().Set("Location", test.location)
				w.WriteHeader(test.status)
			}
			d := r.door(Grants{HTTP: []HTTPRule{
				{Host: "example.com", Methods: []string{"GET", "POST"}, Paths: []string{"/", "/endless", "/go/**"}},
				{Host: "www.example.com"}, {Host: "inside.example.com"}, {Host: "rebound.example.com"},
			}})
			if strings.Contains(test.location, "rebound") { // the first lookup is answered well
				if _, err := r.LookupNetIP(t.Context(), "ip", "rebound.example.com"); err != nil {
					t.Fatal(err)
				}
			}
			got := send(t, d, ask(test.method, "https://example.com/go/on", nil), []byte("x"))
			_, inner, dialed := r.seen()
			if got.code != RedirectRefused || inner != 0 {
				t.Errorf("%+v; asked %v, %d requests inside, dialed %v", got, asked, inner, dialed)
			}
			want := 1
			if strings.HasSuffix(test.location, "/endless") {
				want = 1 + MaxRedirects
			}
			if len(asked) != want || len(dialed) != want {
				t.Errorf("asked %v, dialed %v", asked, dialed)
			}
		})
	}
}

// A name that changes between two lookups is judged by what it is at the second.
func TestRebinding(t *testing.T) {
	r := newHTTPRig(t)
	r.names["example.com"] = [][]string{{public.String()}, {"127.0.0.1"}, {public.String()}, {"::1"}}
	d := r.door(anyway("example.com"))
	for i, want := range []string{"", AddressRefused, "", AddressRefused} {
		if got := send(t, d, get("https://example.com/"), nil); got.code != want {
			t.Errorf("request %d: %+v", i, got)
		}
	}
	if outer, inner, dialed := r.seen(); outer != 2 || inner != 0 || len(dialed) != 2 || r.lookups != 4 {
		t.Errorf("%d and %d requests, dialed %v, %d lookups", outer, inner, dialed, r.lookups)
	}
}

// The environment cannot lead requests through a proxy.
func TestProxiesOfTheEnvironment(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Run(name, func(t *testing.T) {
			r := newHTTPRig(t)
			t.Setenv(name, r.inner.URL)
			t.Setenv("NO_PROXY", "")
			for _, url := range []string{"https://example.com/", "http://example.com/"} {
				if got := send(t, r.door(anyway("example.com")), get(url), nil); got.status != 200 {
					t.Errorf("%s: %+v", url, got)
				}
			}
			if outer, inner, _ := r.seen(); outer != 2 || inner != 0 {
				t.Errorf("%d requests went where they should, %d to the proxy", outer, inner)
			}
		})
	}
}

// Without the rig's dialer, real sockets: what is not granted is refused before a connection, and a grant that names the address
// or its network opens it.
func TestRealSockets(t *testing.T) {
	for _, network := range []string{"127.0.0.1", "[::1]"} {
		t.Run(network, func(t *testing.T) {
			l, err := net.Listen("tcp", network+":0")
			if err != nil {
				t.Skipf("no %s here: %v", network, err)
			}
			seen := 0
			s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen++ })}}
			s.Start()
			defer s.Close()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			rule := HTTPRule{Host: "localhost:" + port, Schemes: []string{"http"}}
			r := newHTTPRig(t)
			r.client.Dial = nil
			r.names["localhost"] = [][]string{{strings.Trim(network, "[]")}}
			url := "http://localhost:" + port + "/"
			if got := send(t, r.door(Grants{HTTP: []HTTPRule{rule}}), get(url), nil); got.code != AddressRefused || seen != 0 {
				t.Errorf("%+v, %d requests", got, seen)
			}
			rule.Networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
			if got := send(t, r.door(Grants{HTTP: []HTTPRule{rule}}), get(url), nil); got.status != 200 || seen != 1 {
				t.Errorf("%+v, %d requests", got, seen)
			}
			rule = HTTPRule{Host: network + ":" + port, Schemes: []string{"http"}}
			if got := send(t, r.door(Grants{HTTP: []HTTPRule{rule}}), get("http://"+network+":"+port+"/"), nil); got.status != 200 || seen != 2 {
				t.Errorf("%+v, %d requests", got, seen)
			}
		})
	}
}

// The socket itself is judged as well, whatever was looked up.
func TestTheSocketIsJudged(t *testing.T) {
	r := newHTTPRig(t)
	c := &NetClient{}
	judged := 0
	_, err := c.connect(t.Context(), r.inner.Listener.Addr().String(), func(a netip.Addr) error {
		judged++
		return HTTPRule{}.judge(a)
	})
	if err == nil || judged != 1 || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v, judged %d times", err, judged)
	}
}
