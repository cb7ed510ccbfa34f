package postgressink

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hasPassword finds a password in keywords and values, or in the parameters of a URL.
var hasPassword = regexp.MustCompile(`(?i)(^|[\s?&;])(password|sslpassword)\s*=`)

// connection is how to connect. No error of it has a part of the URL that could be a secret.
func (c Config) connection() (*pgx.ConnConfig, error) {
	if c.URL == "" {
		return nil, errors.New("no database: set Config.URL")
	}
	const remedy = "give it by Config.PasswordFile or Config.PasswordEnv"
	if strings.Contains(c.URL, "://") {
		u, err := url.Parse(c.URL)
		if err != nil { // the text of err may hold a password
			return nil, errors.New("Config.URL is no URL; want postgres://user@host:5432/database")
		}
		if _, has := u.User.Password(); has {
			return nil, errors.New("Config.URL holds a password: " + remedy)
		}
	}
	if hasPassword.MatchString(c.URL) {
		return nil, errors.New("Config.URL holds a password: " + remedy)
	}
	cfg, err := pgx.ParseConfig(c.secured())
	if err != nil {
		return nil, fmt.Errorf("Config.URL: %w", err)
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "millrace"
	}
	password, err := c.password()
	if err != nil {
		return nil, err
	}
	if password != "" {
		cfg.Password = string(password)
	}
	return cfg, c.secure(cfg)
}

const connectTimeout = 10 * time.Second

// secured is the URL with the sslmode that holds when none was given. This machine needs none.
func (c Config) secured() string {
	if strings.Contains(c.URL, "sslmode=") || strings.Contains(c.URL, "ssl=") || os.Getenv("PGSSLMODE") != "" {
		return c.URL
	}
	plain, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return c.URL // parsed again, with its error
	}
	mode := "disable"
	for _, h := range hosts(plain) {
		if !local(h.name) {
			mode = "verify-full"
		}
	}
	switch {
	case !strings.Contains(c.URL, "://"):
		return c.URL + " sslmode=" + mode
	case strings.Contains(c.URL, "?"):
		return c.URL + "&sslmode=" + mode
	}
	return c.URL + "?sslmode=" + mode
}

type host struct {
	name string
	tls  *tls.Config
}

// hosts are all that a connection may go to, and how.
func hosts(cfg *pgx.ConnConfig) []host {
	all := []host{{cfg.Host, cfg.TLSConfig}}
	for _, f := range cfg.Fallbacks {
		all = append(all, host{f.Host, f.TLSConfig})
	}
	return all
}

// local says whether a host is this machine.
func local(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || filepath.IsAbs(name) || strings.HasPrefix(name, "@") || ip != nil && ip.IsLoopback()
}

// secure refuses connections to other machines that anybody on the way could read or answer.
func (c Config) secure(cfg *pgx.ConnConfig) error {
	for _, h := range hosts(cfg) {
		if c.Insecure || local(h.name) {
			continue
		}
		switch {
		case h.tls == nil:
			return fmt.Errorf("the connection to %q would not be encrypted: use sslmode=verify-full, or set Config.Insecure", h.name)
		case h.tls.InsecureSkipVerify || h.tls.ServerName == "":
			return fmt.Errorf("the connection to %q would take any server for the right one: use sslmode=verify-full, or set Config.Insecure", h.name)
		}
	}
	return nil
}

// password is where Config says it is; "" leaves it to PGPASSWORD and pgpass.
func (c Config) password() (Secret, error) {
	given := 0
	for _, is := range []bool{c.Password != "", c.PasswordFile != "", c.PasswordEnv != ""} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return "", errors.New("the password is given twice: set one of Config.Password, PasswordFile and PasswordEnv")
	case c.PasswordEnv != "":
		p := os.Getenv(c.PasswordEnv)
		if p == "" {
			return "", fmt.Errorf("the environment variable %s, which Config.PasswordEnv names, is empty", c.PasswordEnv)
		}
		return Secret(p), nil
	case c.PasswordFile != "":
		f, err := os.Open(c.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("Config.PasswordFile: %w", err)
		}
		defer f.Close()
		line := bufio.NewScanner(f)
		if !line.Scan() || line.Text() == "" {
			return "", fmt.Errorf("Config.PasswordFile %q holds no password", c.PasswordFile)
		}
		return Secret(line.Text()), nil
	}
	return c.Password, nil
}

// connect opens a connection.
func (c Config) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := c.connection()
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// closeConn ends a connection. What was not committed is given up, also when the server does not hear of it now.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

const closeTimeout = time.Second

// databaseError is the server's message in err, if there is one.
func databaseError(err error) (*pgconn.PgError, bool) {
	var e *pgconn.PgError
	ok := errors.As(err, &e)
	return e, ok
}
