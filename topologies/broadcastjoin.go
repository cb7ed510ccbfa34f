package topologies

import (
	"flag"
	"strconv"

	"github.com/millrace-io/millrace"
	"github.com/millrace-io/millrace/runner"
)

// Visit is a visit to a site, Country a row of the static table.
type (
	Visit struct {
		Page string `json:"page"`
		Code string `json:"code"`
	}
	Country struct {
		Code string `json:"code"`
		Name string `json:"name"`
	}
)

// NamedVisit is a visit with the name of the country; Country is nil when the table has none.
type NamedVisit struct {
	Page    string  `json:"page"`
	Code    string  `json:"code"`
	Country *string `json:"country"`
}

func named(v Visit, c Country) NamedVisit { return NamedVisit{v.Page, v.Code, &c.Name} }

// CountryCode is the key of the table.
func CountryCode(c Country) string { return c.Code }

// BroadcastJoin joins visits to a static table: inner drops those of a country that is not in it, left keeps them.
func BroadcastJoin(visits millrace.Stream[Visit], countries *millrace.Static[string, Country], kind Join) millrace.Stream[NamedVisit] {
	code := func(v Visit) string { return v.Code }
	if kind == Left {
		return visits.LeftJoinStatic("join", countries, code, func(v Visit, c Country, has bool) NamedVisit {
			if !has {
				return NamedVisit{Page: v.Page, Code: v.Code}
			}
			return named(v, c)
		})
	}
	return visits.JoinStatic("join", countries, code, named)
}

var broadcastJoin = runner.Topology{
	Name: "broadcast-join",
	Doc:  "S3: visits joined to a static table of countries, read once from a JSON file: inner or left",
	Flags: func(fs *flag.FlagSet) runner.Build {
		in, table := registerInput(fs), registerStatic(fs, "countries: JSON objects with code and name")
		return func(job *millrace.Job, o *runner.Options) error {
			visits, err := in.from(job, o, "visits", rowsPerSecond, MakeVisit)
			if err != nil {
				return err
			}
			countries, err := table.read(CountryCode, Country{"at", "Austria"}, Country{"nl", "Netherlands"}, Country{"se", "Sweden"})
			if err != nil {
				return err
			}
			joined := BroadcastJoin(visits, countries, table.kind)
			joined.To("view", o.Latest([]string{"page", "code", "country"}, func(v NamedVisit) []string { return []string{v.Page, v.Code, orDash(v.Country)} }))
			return in.writes(o, joined, func(v NamedVisit) string { return v.Code })
		}
	},
}

// MakeVisit makes a visit from one of four countries, of which the built-in table has three.
func MakeVisit(i int64) Visit {
	return Visit{"/page/" + strconv.FormatInt(below(^i, 50), 10), []string{"at", "nl", "se", "xx"}[below(i, 4)]}
}
