//! Live entries and the table that follows them: asked of the city over its control socket, as `taizhang-hub watch`
//! does. On a terminal the table is drawn in place; elsewhere each figure that moved is a line.

use super::offices::Offices;
use crate::town::Town;
use anyhow::Context;
use std::{io::IsTerminal, time::Duration};
use taizhang_hub::cli::{figure, totals_board};
use taizhang_node::{cli::stop_signal, control::ControlFile, show};
use taizhang_proto::{
    indicator,
    pb::{self, totals_client::TotalsClient},
};

/// Makes an entry every so often and shows what it moves, until somebody stops it.
pub(super) async fn run(town: &Town, offices: &mut Offices, every: Duration) -> anyhow::Result<()> {
    let control = ControlFile::read(&town.city.dir).context("the city's control file")?;
    let channel = control.connect().await.context("the city's control socket")?;
    let request = pb::TotalsRequest { children: true, ..pb::TotalsRequest::default() };
    let mut changes = TotalsClient::new(channel).watch(request).await?.into_inner();
    let mut board = Board { terminal: std::io::stdout().is_terminal(), lines: 0, shown: None };
    let mut next = tokio::time::interval(every);
    let mut stopping = std::pin::pin!(stop_signal());
    loop {
        tokio::select! {
            () = &mut stopping => return Ok(()),
            _ = next.tick() => tokio::task::block_in_place(|| offices.enter(town, &mut rand::rng()))?,
            answer = changes.message() => match answer? {
                Some(answer) => board.take(answer),
                None => return Ok(()),
            },
        }
    }
}

/// What is shown.
struct Board {
    terminal: bool,
    lines: usize,
    shown: Option<pb::TotalsAnswer>,
}

impl Board {
    fn take(&mut self, answer: pb::TotalsAnswer) {
        let Some(shown) = &mut self.shown else {
            self.shown = Some(answer);
            return self.draw();
        };
        shown.revision = answer.revision;
        shown.as_of = answer.as_of;
        for moved in answer.values {
            let place =
                shown.values.iter_mut().find(|value| value.unit == moved.unit && value.indicator == moved.indicator);
            let Some(place) = place else { continue };
            if !self.terminal {
                let unit = shown.units.iter().find(|unit| unit.unit == moved.unit).map_or("", |unit| &unit.name);
                tell(answer.as_of, unit, place, &moved);
            }
            *place = moved;
        }
        self.draw();
    }

    fn draw(&mut self) {
        let Some(shown) = self.shown.as_ref().filter(|_| self.terminal) else { return };
        let table = totals_board(shown, show::width().unwrap_or(80));
        let text = format!("{table}\n截至 {}；修订号 {}；Ctrl-C 停止 (stops)", show::time(shown.as_of), shown.revision);
        if self.lines > 0 {
            // Up to where the last one began, and clear from there on.
            print!("\x1b[{}A\x1b[0J", self.lines);
        }
        println!("{text}");
        self.lines = text.lines().count();
    }
}

fn tell(as_of: u64, unit: &str, before: &pb::TotalValue, now: &pb::TotalValue) {
    let name = indicator::by_code(&now.indicator).map_or("", |indicator| indicator.zh);
    println!(
        "{} {unit} {} {name} {} ({:+})",
        show::time(as_of),
        now.indicator,
        figure(now),
        now.numerator - before.numerator
    );
}
