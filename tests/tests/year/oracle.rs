//! The catalogue (domain-detail, section 3), read indicator by indicator over the facts: only 'is it so on day D?' and
//! 'did it happen on day D?'. Slow, and shares nothing with the program but the calendar of days.

use crate::model::{Case, Files, House, Job, Model, Person, Service};
use jiff::{ToSpan, civil::Date};
use taizhang_proto::date::{self, Day};

/// Holidays and worked weekends of 2008, as the State Council arranged them.
const OFF: [(i8, i8); 16] = [
    (1, 1),
    (2, 6),
    (2, 7),
    (2, 8),
    (2, 11),
    (2, 12),
    (4, 4),
    (5, 1),
    (5, 2),
    (6, 9),
    (9, 15),
    (9, 29),
    (9, 30),
    (10, 1),
    (10, 2),
    (10, 3),
];
const WORKED: [(i8, i8); 5] = [(2, 2), (2, 3), (5, 4), (9, 27), (9, 28)];

fn civil(day: Day) -> Date {
    date::civil(day).unwrap()
}

fn works(day: Day) -> bool {
    let on = civil(day);
    let place = (on.month(), on.day());
    let (off, worked) = match on.year() {
        // New Year 2008 took a Monday and gave a Saturday of the year before.
        2007 => (place == (12, 31), place == (12, 29)),
        2008 => (OFF.contains(&place), WORKED.contains(&place)),
        _ => (false, false),
    };
    match on.weekday().to_monday_zero_offset() {
        5 | 6 => worked,
        _ => !off,
    }
}

fn working_days_later(from: Day, count: usize) -> Day {
    (from + 1..).filter(|day| works(*day)).nth(count - 1).unwrap()
}

fn months_later(day: Day, months: i32) -> Day {
    date::day(civil(day) + months.months())
}

fn birthday(person: &Person, age: i16) -> Day {
    let (year, month, day) = person.born;
    // Who was born on 29 February is a year older on 1 March.
    date::ymd(year + age, month, day).or_else(|| date::ymd(year + age, 3, 1)).unwrap()
}

fn is_urban(unit: u64) -> bool {
    (1..200).contains(&(unit % 1_000))
}

fn is_village(unit: u64) -> bool {
    unit % 1_000 >= 200
}

fn is_street(unit: u64) -> bool {
    unit.is_multiple_of(1_000) && !unit.is_multiple_of(1_000_000) && unit / 1_000 % 1_000 < 100
}

fn is_township(unit: u64) -> bool {
    unit.is_multiple_of(1_000) && !unit.is_multiple_of(1_000_000) && unit / 1_000 % 1_000 >= 100
}

/// Value or numerator; denominator; duplicates beside the value.
pub(crate) type Figure = (i64, i64, i64);

fn in_campaign(service: &Service) -> bool {
    service.campaign.is_some_and(|(from, to)| from <= service.on && service.on <= to)
}

fn count<T>(all: &[T], so: impl Fn(&T) -> bool) -> i64 {
    all.iter().filter(|one| so(one)).count() as i64
}

impl crate::model::Dispute {
    fn open(&self, day: Day) -> bool {
        self.found <= day && self.closed.is_none_or(|closed| day < closed)
    }
}

impl Model {
    fn present(person: &Person, day: Day) -> bool {
        person.died.into_iter().chain(person.moved).all(|left| day < left)
    }

    /// Nobody counts before the day of registration.
    fn on_register(person: &Person, day: Day) -> bool {
        Self::present(person, day) && person.registered.is_none_or(|from| from <= day)
    }

    fn double_active(double: &crate::model::Double, day: Day) -> bool {
        double.registered.is_none_or(|from| from <= day) && double.moved.is_none_or(|left| day < left)
    }

    fn twice(&self, person: usize, day: Day) -> bool {
        let again = |double: &crate::model::Double| double.person == person && Self::double_active(double, day);
        Self::on_register(&self.persons[person], day) && self.doubles.iter().any(again)
    }

    /// Whether the second registration of a person counts in the place of the first: it alone is active, or it is the
    /// earlier one; of two of one day the one entered first counts.
    fn double_counts(&self, double: &crate::model::Double, day: Day) -> bool {
        let first = &self.persons[double.person];
        let earlier = double.registered.unwrap_or(Day::MIN) < first.registered.unwrap_or(Day::MIN);
        Self::double_active(double, day) && (!Self::on_register(first, day) || earlier)
    }

    /// Whether a person counts by its first registration on a day.
    fn counts_first(&self, person: usize, day: Day) -> bool {
        let own = |double: &crate::model::Double| double.person == person && self.double_counts(double, day);
        !self.doubles.iter().any(own)
    }

    fn holds_place(&self, index: usize, day: Day) -> bool {
        let job = &self.jobs[index];
        let Some(post) = job.post else { return true };
        if !self.posts[post].days.on(day) || !Self::present(&self.persons[job.person], day) {
            return false;
        }
        let before = (0..index).filter(|other| {
            self.jobs[*other].post == Some(post) && self.jobs[*other].days.on(day) && self.holds_place(*other, day)
        });
        (before.count() as i64) < self.posts[post].places
    }

    fn has_job(&self, person: usize, day: Day) -> bool {
        let own =
            |(index, job): (usize, &Job)| job.person == person && job.days.on(day) && self.holds_place(index, day);
        Self::present(&self.persons[person], day) && self.jobs.iter().enumerate().any(own)
    }

    /// Whether somebody has a job on a day, on the register then or not.
    fn works_somewhere(&self, person: usize, day: Day) -> bool {
        self.jobs
            .iter()
            .enumerate()
            .any(|(index, job)| job.person == person && job.days.on(day) && self.holds_place(index, day))
    }

    fn members(&self, house: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.persons.len()).filter(move |person| self.persons[*person].house == house)
    }

    fn registered(&self, person: usize, day: Day) -> bool {
        let own = &self.persons[person];
        let counts = Self::on_register(own, day) && own.retired.is_none_or(|retired| day < retired);
        counts && self.spells.iter().any(|spell| spell.person == person && spell.days.on(day))
    }

    fn in_hardship(&self, person: usize, day: Day) -> bool {
        let own = &self.persons[person];
        Self::on_register(own, day)
            && own.retired.is_none_or(|retired| day < retired)
            && self.hardships.iter().any(|case| case.person == person && case.days.on(day))
    }

    fn open(case: &Case, day: Day) -> bool {
        case.recognised <= day && case.exit.is_none_or(|exit| day < exit)
    }

    /// First days in a job of the household's members while the case was open, up to a day.
    fn placed(&self, case: &Case, upto: Day) -> Vec<Day> {
        let days = |person| (case.recognised..=upto).find(|day| Self::open(case, *day) && self.has_job(person, *day));
        let mut first: Vec<Day> = self.members(case.house).filter_map(days).collect();
        first.sort_unstable();
        first
    }

    fn somebody_works(&self, case: &Case, day: Day) -> bool {
        self.members(case.house).any(|person| self.has_job(person, day))
    }

    fn due_one(case: &Case) -> Day {
        case.recognised + 20
    }

    fn dual(case: &Case) -> Option<(Day, Day)> {
        let asked = case.asked?.max(case.recognised);
        Self::open(case, asked).then(|| (asked, months_later(asked, 1)))
    }

    fn zef_open(&self, house: usize, day: Day) -> bool {
        self.cases.iter().any(|case| case.house == house && !case.graduate && Self::open(case, day))
    }

    fn title_held(&self, unit: u64, day: Day) -> bool {
        let held = |title: &crate::model::Title| title.certified <= day && title.revoked.is_none_or(|off| day < off);
        self.titles.iter().any(|title| title.unit == unit && held(title))
    }

    fn certificates(&self, who: u32, level: u8, day: Day) -> bool {
        let valid =
            |helper: &crate::model::Helper| helper.certificate.is_some_and(|(own, days)| own == level && days.on(day));
        self.helpers.iter().any(|helper| helper.who == who && valid(helper))
    }

    /// Which of somebody's assignments counts on a day: the one that began first, of two the one entered first.
    fn counts_at(&self, who: u32, day: Day) -> Option<usize> {
        let open = (0..self.helpers.len()).filter(|at| self.helpers[*at].who == who && self.helpers[*at].days.on(day));
        open.min_by_key(|at| (self.helpers[*at].days.from, *at))
    }

    fn helper_counts(&self, index: usize, day: Day) -> bool {
        self.counts_at(self.helpers[index].who, day) == Some(index)
    }

    fn fresh(days: &[Day], keep: Day, day: Day) -> bool {
        days.iter().any(|verified| *verified <= day && day - verified <= keep)
    }

    fn archive_terms(&self) -> Vec<(u64, Day, Option<Day>)> {
        let entry_of = |case: usize| {
            let own = self.filed.iter().filter(|filed| filed.files == Files::Case(case));
            own.filter_map(|filed| filed.archived).min()
        };
        let mut terms = Vec::new();
        for (index, case) in self.cases.iter().enumerate() {
            if let Some(exit) = case.exit {
                terms.push((self.houses[case.house].unit, working_days_later(exit, 10), entry_of(index)));
            }
        }
        for case in &self.hardships {
            if let Some(exit) = case.days.to {
                terms.push((self.persons[case.person].unit, working_days_later(exit, 10), None));
            }
        }
        for title in &self.titles {
            terms.push((title.unit, working_days_later(title.certified, 10), None));
        }
        for filed in self.filed.iter().filter(|filed| filed.files == Files::Paper) {
            terms.push((filed.unit, working_days_later(filed.formed, 10), filed.archived));
        }
        terms
    }

    /// The last check of the version that stands on a day, by then.
    fn checked_on(&self, unit: u64, day: Day) -> Option<crate::model::Checked> {
        let own = self.premises_on(unit, day)?;
        own.checks.iter().rfind(|check| check.on <= day).copied()
    }

    /// The last version that was entered by a day.
    fn premises_on(&self, unit: u64, day: Day) -> Option<&crate::model::Premises> {
        self.premises.iter().filter(|own| own.unit == unit && own.from <= day).max_by_key(|own| own.from)
    }

    fn three(&self, unit: u64, mark: u64, shanty_only: bool, day: Day) -> bool {
        self.premises_on(unit, day)
            .is_some_and(|own| (!shanty_only || own.shanty) && own.three.iter().sum::<u64>() >= 3 * mark)
    }

    fn papers_complete(&self, unit: u64, day: Day) -> bool {
        (1..=4).all(|kind| {
            let own = |paper: &crate::model::Paper| paper.unit == unit && paper.kind == kind;
            let valid = |paper: &crate::model::Paper| paper.from <= day && paper.until.is_none_or(|until| day <= until);
            self.papers.iter().any(|paper| own(paper) && valid(paper))
        })
    }

    /// An indicator of one unit itself, without those below it; none for what is not read from records.
    pub(crate) fn figure(&self, code: &str, unit: u64, day: Day) -> Option<Figure> {
        let year = date::ymd(civil(day).year(), 1, 1).unwrap();
        let here = |person: usize| self.persons[person].unit == unit;
        let persons = |so: &dyn Fn(usize) -> bool| {
            (0..self.persons.len()).filter(|person| here(*person) && so(*person)).count() as i64
        };
        let house_here = |house: usize| self.houses[house].unit == unit;
        let cases = |so: &dyn Fn(&Case) -> bool| {
            count(&self.cases, |case| house_here(case.house) && !case.graduate && so(case))
        };
        let houses = |so: &dyn Fn(usize, &House) -> bool| {
            let own = self.houses.iter().enumerate().filter(|(_, house)| house.unit == unit);
            own.filter(|(index, house)| so(*index, house)).count() as i64
        };
        let once = |so: bool| i64::from(so);
        let flow = |on: Day| year <= on && on <= day;
        let plain = |value: i64| Some((value, 0, 0));
        let ratio = |top: i64, base: i64| Some((top, base, 0));
        let premises = |so: &dyn Fn(&crate::model::Premises) -> bool| self.premises_on(unit, day).is_some_and(so);
        let helpers = |so: &dyn Fn(usize) -> bool| -> i64 {
            (0..self.helpers.len()).filter(|at| self.helpers[*at].unit == unit && so(*at)).count() as i64
        };
        let open_helper = |at: usize| self.helpers[at].days.on(day);
        let level = |at: usize| match self.helpers[at].who {
            who if self.certificates(who, 3, day) => 3,
            who if self.certificates(who, 4, day) => 4,
            _ => 0,
        };
        let split = |so: &dyn Fn(usize) -> bool| {
            let counted = helpers(&|at| open_helper(at) && so(at) && self.helper_counts(at, day));
            Some((counted, 0, helpers(&|at| open_helper(at) && so(at)) - counted))
        };
        match code {
            "K00" => {
                let first = |person: usize| Self::on_register(&self.persons[person], day);
                let counted = persons(&|person| first(person) && self.counts_first(person, day));
                let doubles = |counts: bool| {
                    count(&self.doubles, |double| {
                        double.unit == unit
                            && Self::double_active(double, day)
                            && self.double_counts(double, day) == counts
                    })
                };
                let behind = persons(&|person| first(person) && !self.counts_first(person, day));
                Some((counted + doubles(true), 0, behind + doubles(false)))
            }
            "K01" => ratio(once(self.title_held(unit, day)), once(is_urban(unit))),
            "K02" => plain(once(self.title_held(unit, day))),
            "K02b" => plain(once(self.titles.iter().any(|title| {
                let ordered = title.rectify.is_some_and(|(ordered, _)| ordered <= day);
                let over = title.restored.into_iter().chain(title.revoked).any(|off| off <= day);
                title.unit == unit && ordered && !over
            }))),
            "K03" => {
                let group = |person: usize| {
                    let own = &self.persons[person];
                    own.resettled && own.labour && Self::on_register(own, day)
                };
                ratio(persons(&|person| group(person) && self.has_job(person, day)), persons(&group))
            }
            "K04" => {
                let group = |person: usize| {
                    let own = &self.persons[person];
                    own.labour && Self::on_register(own, day) && own.retired.is_none_or(|retired| day < retired)
                };
                ratio(persons(&|person| group(person) && self.has_job(person, day)), persons(&group))
            }
            "K05" => plain(cases(&|case| Self::open(case, day) && !self.somebody_works(case, day))),
            "K06" => plain(cases(&|case| flow(case.recognised))),
            "K06b" => {
                let days = |case: &Case| (case.applied + 1..=case.recognised).filter(|day| works(*day)).count() as i64;
                let timed =
                    self.cases.iter().filter(|case| house_here(case.house) && !case.graduate && flow(case.recognised));
                ratio(timed.clone().map(days).sum(), timed.count() as i64)
            }
            "K07" => {
                let due = |case: &Case| {
                    let due = Self::due_one(case);
                    // Losing sight of a household takes no case out before its day.
                    let left = !case.silent && case.exit.is_some_and(|exit| exit <= due);
                    flow(due) && (!left || !self.placed(case, due).is_empty())
                };
                let met = |case: &Case| due(case) && !self.placed(case, Self::due_one(case)).is_empty();
                ratio(cases(&met), cases(&due))
            }
            "K08" => plain(cases(&|case| {
                Self::open(case, day) && day > Self::due_one(case) && self.placed(case, day).is_empty()
            })),
            "K09" => plain(cases(&|case| {
                let left = Self::due_one(case) - day;
                Self::open(case, day) && (0..=5).contains(&left) && self.placed(case, day).is_empty()
            })),
            "K10" => {
                plain(cases(&|case| Self::open(case, day) && Self::dual(case).is_some_and(|(asked, _)| asked <= day)))
            }
            "K11" => {
                let due = |case: &Case| {
                    Self::dual(case).is_some_and(|(_, due)| {
                        let left = !case.silent && case.exit.is_some_and(|exit| exit <= due);
                        flow(due) && (!left || self.placed(case, due).len() >= 2)
                    })
                };
                let met = |case: &Case| {
                    due(case) && Self::dual(case).is_some_and(|(_, due)| self.placed(case, due).len() >= 2)
                };
                ratio(cases(&met), cases(&due))
            }
            "K12" => plain(cases(&|case| {
                let late = Self::dual(case).is_some_and(|(_, due)| day > due);
                Self::open(case, day) && late && self.placed(case, day).len() < 2
            })),
            "K13" => {
                let new = |case: &Case| flow(case.recognised);
                ratio(cases(&|case| new(case) && self.somebody_works(case, day)), cases(&new))
            }
            "K14" | "K15" => {
                // A person's certificate counts where the person does, under whichever assignment it was entered.
                let certified = (0..self.helpers.len()).any(|at| {
                    let helper = &self.helpers[at];
                    let valid = self.certificates(helper.who, 3, day) || self.certificates(helper.who, 4, day);
                    helper.unit == unit && helper.days.on(day) && self.helper_counts(at, day) && valid
                });
                let (has, stations) = (once(certified && is_urban(unit)), once(is_urban(unit)));
                if code == "K14" { ratio(has, stations) } else { plain(stations - has) }
            }
            "K16" => split(&|_| true),
            "K16b" => split(&|at| level(at) == 3),
            "K16c" => split(&|at| level(at) == 4),
            "K17" => {
                let left = helpers(&|at| {
                    let helper = &self.helpers[at];
                    helper.days.to.is_some_and(|to| {
                        flow(to)
                            && helper.days.from < to
                            && self.helper_counts(at, to - 1)
                            // Who serves again within 31 days has moved, not left.
                            && (to..=to + 31).all(|on| self.counts_at(helper.who, on).is_none())
                    })
                });
                let opening = helpers(&|at| self.helpers[at].days.on(year - 1) && self.helper_counts(at, year - 1));
                ratio(left, opening)
            }
            "K18" => ratio(
                once(is_township(unit) && self.checked_on(unit, day).is_some_and(|check| check.area >= 10_000)),
                once(is_township(unit)),
            ),
            "K19" => ratio(
                once(is_township(unit) && self.checked_on(unit, day).is_some_and(|check| check.six)),
                once(is_township(unit)),
            ),
            "K20" => {
                let staffed = helpers(&open_helper) > 0;
                ratio(once(is_village(unit) && staffed && premises(&|own| own.fixed)), once(is_village(unit)))
            }
            "K21a" => {
                let shanty = is_urban(unit) && premises(&|own| own.shanty);
                ratio(once(shanty && premises(&|own| own.window)), once(shanty))
            }
            "K21b" => {
                let fit = is_urban(unit) && premises(&|own| own.fit) && !premises(&|own| own.shanty);
                ratio(once(fit && premises(&|own| own.window)), once(fit))
            }
            "K22" => {
                let platform = premises(&|_| true);
                ratio(once(platform && self.papers_complete(unit, day)), once(platform))
            }
            "K23a" => {
                let asked = is_urban(unit) || is_street(unit);
                ratio(once(asked && self.three(unit, 90, false, day)), once(asked))
            }
            "K23b" => ratio(once(is_township(unit) && self.three(unit, 80, false, day)), once(is_township(unit))),
            "K23c" => {
                let shanty = is_urban(unit) && premises(&|own| own.shanty);
                ratio(once(shanty && self.three(unit, 90, false, day)), once(shanty))
            }
            "K24" => plain(persons(&|person| self.registered(person, day))),
            "K24b" => plain(persons(&|person| {
                let own = &self.persons[person];
                self.registered(person, day) && day >= birthday(own, if own.male { 50 } else { 40 })
            })),
            "K24c" => plain(persons(&|person| {
                let own = &self.persons[person];
                self.registered(person, day) && day >= birthday(own, if own.male { 60 } else { 55 })
            })),
            "K25" => {
                // Who became employed follows from the jobs alone: a job begins in the year, and the person was registered
                // on some day of it by then, or when it began.
                let found = |person: usize| {
                    let own = &self.persons[person];
                    let begins = |on: Day| {
                        let counts = Self::on_register(own, on) && own.retired.is_none_or(|retired| on < retired);
                        counts && self.has_job(person, on) && !self.works_somewhere(person, on - 1)
                    };
                    (year..=day).any(|on| begins(on) && (year - 1..=on).any(|before| self.registered(person, before)))
                };
                let base = |person: usize| (year - 1..=day).any(|on| self.registered(person, on));
                ratio(persons(&found), persons(&base))
            }
            "K26" => {
                let group = |person: usize| self.persons[person].labour && self.in_hardship(person, day);
                ratio(persons(&|person| group(person) && self.has_job(person, day)), persons(&group))
            }
            "K27" | "K27b" | "K27c" => {
                let own =
                    (0..self.posts.len()).filter(|at| self.posts[*at].unit == unit && self.posts[*at].days.on(day));
                let (mut places, mut taken) = (0, 0);
                for at in own {
                    places += self.posts[at].places;
                    let holders = self.jobs.iter().enumerate().filter(|(index, job)| {
                        job.post == Some(at) && job.days.on(day) && self.holds_place(*index, day)
                    });
                    taken += holders.count() as i64;
                }
                plain(match code {
                    "K27" => places,
                    "K27b" => taken,
                    _ => places - taken,
                })
            }
            "K28" => plain(count(&self.posts, |post| {
                post.unit == unit && post.days.on(day) && (0..=60).contains(&(post.subsidy_until - day))
            })),
            "K28b" => {
                plain(count(&self.posts, |post| post.unit == unit && post.days.on(day) && day > post.subsidy_until))
            }
            "K29" | "K29b" => {
                let counts = |own: &crate::model::Training| {
                    own.free && flow(own.on) && Self::on_register(&self.persons[own.person], own.on)
                };
                plain(match code {
                    "K29" => count(&self.trainings, |own| here(own.person) && counts(own)),
                    _ => persons(&|person| self.trainings.iter().any(|own| own.person == person && counts(own))),
                })
            }
            "K30" => {
                let wishing = |person: usize| {
                    let own = &self.persons[person];
                    let there = Self::on_register(own, day);
                    own.child && own.wishes_training && there && self.zef_open(own.house, day)
                };
                let trained = |person: usize| {
                    wishing(person) && self.trainings.iter().any(|own| own.person == person && own.on <= day)
                };
                ratio(persons(&trained), persons(&wishing))
            }
            "K31" => plain(count(&self.fairs, |fair| fair.unit == unit && flow(fair.on))),
            "K31b" => plain(count(&self.fairs, |fair| fair.unit == unit && flow(fair.on) && fair.in_community)),
            "K31c" | "K31d" => {
                let own = self.fairs.iter().filter(|fair| fair.unit == unit && flow(fair.on));
                plain(own.map(|fair| if code == "K31c" { fair.intents } else { fair.hired }).sum())
            }
            "K32" => plain(houses(&|index, _| {
                self.services.iter().any(|own| {
                    let theirs =
                        own.house == Some(index) || own.person.is_some_and(|of| self.persons[of].house == index);
                    theirs && own.visit && in_campaign(own) && flow(own.on)
                })
            })),
            "K32b" => {
                let own = self.services.iter().filter(|own| in_campaign(own) && flow(own.on));
                let own = own.filter(|own| match own.person {
                    Some(person) => here(person),
                    None => own.house.is_some_and(house_here),
                });
                plain(own.map(|own| own.sends).sum())
            }
            "K32c" => {
                let placed = |(index, job): (usize, &Job)| {
                    let first = (job.days.from..=day).find(|on| job.days.on(*on) && self.holds_place(index, *on));
                    let first = first.filter(|on| {
                        let again = |double: &crate::model::Double| {
                            double.person == job.person && Self::double_active(double, *on)
                        };
                        Self::on_register(&self.persons[job.person], *on) || self.doubles.iter().any(again)
                    });
                    let at = |on: Day| {
                        let own = self.doubles.iter().find(|double| double.person == job.person);
                        let double = own.filter(|double| self.double_counts(double, on));
                        double.map_or(self.persons[job.person].unit, |double| double.unit)
                    };
                    job.campaign && first.is_some_and(|on| flow(on) && at(on) == unit)
                };
                plain(self.jobs.iter().enumerate().filter(|one| placed(*one)).count() as i64)
            }
            "K33" => {
                let recognised = |house: usize| {
                    self.zef_open(house, day) || self.members(house).any(|person| self.in_hardship(person, day))
                };
                let paired = |house: usize| {
                    self.pairs.iter().any(|pair| {
                        let theirs =
                            pair.house == Some(house) || pair.person.is_some_and(|of| self.persons[of].house == house);
                        theirs && pair.days.on(day)
                    })
                };
                ratio(houses(&|house, _| recognised(house) && paired(house)), houses(&|house, _| recognised(house)))
            }
            "K34" => {
                let after = |case: &Case| case.stable && case.exit.is_some_and(|exit| exit <= day);
                let graduates = |so: &dyn Fn(&Case) -> bool| {
                    count(&self.cases, |case| house_here(case.house) && case.graduate && so(case))
                };
                let recognised = |case: &Case| Self::open(case, day) || after(case);
                // The typed cause alone places nobody.
                let had = |case: &Case| case.exit.is_some_and(|exit| !self.placed(case, exit).is_empty());
                let placed = |case: &Case| {
                    (after(case) && had(case)) || (Self::open(case, day) && self.somebody_works(case, day))
                };
                ratio(graduates(&placed), graduates(&recognised))
            }
            "K35" => {
                let checked = self
                    .checks
                    .iter()
                    .any(|check| check.unit == unit && flow(check.on) && self.title_held(unit, check.on));
                ratio(once(checked), once(self.title_held(unit, day)))
            }
            "K35b" => plain(once(self.titles.iter().any(|title| {
                let over = title.restored.into_iter().chain(title.revoked).any(|off| off <= day);
                title.unit == unit && !over && title.rectify.is_some_and(|(_, due)| day > due)
            }))),
            "K36" => plain(count(&self.titles, |title| title.unit == unit && title.revoked.is_some_and(flow))),
            "K37" => {
                let terms = self.archive_terms();
                let own = terms.iter().filter(|(of, due, _)| *of == unit && flow(*due));
                let met = own.clone().filter(|(_, due, archived)| archived.is_some_and(|on| on <= *due));
                ratio(met.count() as i64, own.count() as i64)
            }
            "K38" => {
                let visits = |person: Option<usize>, house: Option<usize>| -> Vec<Day> {
                    let theirs = self.services.iter().filter(|own| own.visit);
                    let theirs = theirs.filter(|own| match (person, house) {
                        (Some(_), _) => own.person == person,
                        _ => own.house == house,
                    });
                    theirs.map(|own| own.on).collect()
                };
                let person_fresh = |person: usize| {
                    let days: Vec<Day> = visits(Some(person), None)
                        .into_iter()
                        .chain(self.persons[person].verified.iter().copied())
                        .chain(self.persons[person].registered)
                        .collect();
                    let keep = if self.in_hardship(person, day) { 30 } else { 90 };
                    Self::on_register(&self.persons[person], day) && Self::fresh(&days, keep, day)
                };
                let there = |house: &House| house.registered.is_none_or(|from| from <= day);
                let house_fresh = |index: usize, house: &House| {
                    let days: Vec<Day> =
                        visits(None, Some(index)).into_iter().chain(house.verified).chain(house.registered).collect();
                    there(house) && Self::fresh(&days, if self.zef_open(index, day) { 30 } else { 90 }, day)
                };
                let registered = |person: usize| Self::on_register(&self.persons[person], day);
                let records = persons(&registered) + houses(&|_, house| there(house));
                let doubles = |fresh: bool, counts: bool| {
                    count(&self.doubles, |double| {
                        let days: Vec<Day> = double.verified.into_iter().chain(double.registered).collect();
                        let own = Self::fresh(&days, 90, day);
                        double.unit == unit
                            && (own || !fresh)
                            && Self::double_active(double, day)
                            && self.double_counts(double, day) == counts
                    })
                };
                let first = |person: usize| self.counts_first(person, day);
                let behind = persons(&|person| person_fresh(person) && !first(person));
                let fresh = persons(&|person| person_fresh(person) && first(person)) + houses(&house_fresh);
                let there = records - persons(&|person| registered(person) && !first(person));
                Some((fresh + doubles(true, true), there + doubles(false, true), behind + doubles(true, false)))
            }
            "K38b" => {
                let late = |job: &&Job| job.entered - job.days.from > 7 && flow(job.entered) && here(job.person);
                plain(self.jobs.iter().filter(late).count() as i64)
            }
            "K39" => plain(persons(&|person| {
                self.registered(person, day)
                    && self.spells.iter().any(|spell| {
                        spell.person == person && spell.days.on(day) && day >= months_later(spell.lost, 12)
                    })
            })),
            "K40" => plain(persons(&|person| {
                self.registered(person, day)
                    && self.spells.iter().any(|spell| {
                        let house = self.persons[person].house;
                        let theirs = |own: &&Service| match own.person {
                            Some(named) => named == person,
                            None => own.house == Some(house),
                        };
                        let heard = self.services.iter().filter(theirs).map(|own| own.on);
                        let heard = heard.filter(|on| *on > spell.days.from && *on <= day);
                        let last = heard.chain([spell.days.from]).max().unwrap();
                        spell.person == person && spell.days.on(day) && day > months_later(last, 6)
                    })
            })),
            "K41" => {
                let own = |node: &&crate::model::Node| node.unit == unit && node.since <= day;
                let nodes: Vec<_> = self.nodes.iter().filter(own).collect();
                let online = |node: &&crate::model::Node| [day - 1, day].iter().any(|on| node.synced.contains(on));
                ratio(count(&nodes, online), nodes.len() as i64)
            }
            "K42" => plain(count(&self.disputes, |dispute| dispute.unit == unit && dispute.open(day))),
            "K42b" => plain(count(&self.disputes, |dispute| {
                dispute.unit == unit && dispute.open(day) && day > working_days_later(dispute.found, 5)
            })),
            "K42c" | "K42d" => plain(count(&self.transfers, |own| {
                let open = own.asked <= day && own.answered.is_none_or(|on| day < on);
                own.to == unit && open && (code == "K42c" || day > own.asked + 10)
            })),
            "K43" => {
                let first = persons(&|person| self.twice(person, day) && self.counts_first(person, day));
                plain(
                    first
                        + count(&self.doubles, |double| {
                            double.unit == unit && self.twice(double.person, day) && self.double_counts(double, day)
                        }),
                )
            }
            "K44" => {
                let due = |task: &crate::model::Task| {
                    task.unit == unit && flow(task.due) && task.withdrawn.is_none_or(|off| off > task.due)
                };
                let closed = |task: &crate::model::Task| due(task) && task.closed.is_some_and(|on| on <= task.due);
                ratio(count(&self.tasks, closed), count(&self.tasks, due))
            }
            "K44b" => plain(count(&self.tasks, |task| {
                let off = task.closed.into_iter().chain(task.withdrawn).any(|off| off <= day);
                task.unit == unit && day > task.due && !off
            })),
            other => panic!("the oracle does not know {other}"),
        }
    }
}
