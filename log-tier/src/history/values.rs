//! The values of a row group, found in its pages and not copied out of them.
//!
//! Values are most of the bytes of history, and a state needs few of them. A page none of whose
//! values is wanted is not even decompressed; of the others, the page is kept, and each value is a
//! place in it.

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};

use crate::history::chunk_pages::FetchedRowGroup;
use crate::history::schema::COLUMN_VALUE;

/// Bytes before a value, and before the levels of a page: a length.
const LENGTH_BYTES: usize = 4;

/// Values of some rows, by their numbers among these.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    pages: Vec<Bytes>,
    places: Vec<Option<ValuePlace>>,
}

/// Where a value lies.
#[derive(Clone, Copy, Debug)]
struct ValuePlace {
    page: u32,
    begin: u32,
    end: u32,
}

/// Reads the values of the rows of one row group, in their order.
pub(super) struct ValueReader {
    pages: Box<dyn PageReader>,
    page: Option<OpenPage>,
    /// The first row of the page that is read next.
    page_begin: usize,
}

/// A page, and how far it was read.
struct OpenPage {
    bytes: Bytes,
    present: PresentRows,
    /// Where the next value's length lies.
    at: usize,
    /// The row that comes next, and the one after the last.
    row: usize,
    end: usize,
}

/// Which rows of a page have a value: levels of one bit, in runs (Parquet, "Run Length Encoding /
/// Bit-Packing Hybrid").
struct PresentRows {
    /// Runs that have not begun.
    runs: Bytes,
    /// Rows that are left of the current run.
    left: usize,
    run: LevelRun,
}

/// A run of levels.
enum LevelRun {
    /// The same for all rows.
    Same(bool),
    /// A bit a row, from the lowest of each byte on; the row that comes next is counted.
    Packed(Bytes, usize),
}

impl Values {
    /// Whether a row has a value.
    pub(super) fn is_present(&self, row: usize) -> bool {
        self.places[row].is_some()
    }

    /// The value of a row, if it has one.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        let place = self.places[row]?;
        Some(&self.pages[index(place.page)][index(place.begin)..index(place.end)])
    }

    /// The same, sharing the memory of its page.
    pub(super) fn bytes(&self, row: usize) -> Option<Bytes> {
        let place = self.places[row]?;
        Some(self.pages[index(place.page)].slice(index(place.begin)..index(place.end)))
    }
}

impl ValueReader {
    /// A reader of all values of a row group.
    pub(super) fn new(group: &FetchedRowGroup) -> ParquetResult<Self> {
        let chunk = group.column_chunks(COLUMN_VALUE)?.next();
        let pages = chunk.ok_or_else(|| refused("it has no values"))??;
        Ok(Self { pages, page: None, page_begin: 0 })
    }

    /// The values of these rows, which ascend, and lie after all that were read before.
    pub(super) fn read(&mut self, rows: impl Iterator<Item = usize>) -> ParquetResult<Values> {
        let mut values = Values::default();
        let mut listed = false;
        for row in rows {
            listed &= self.page.as_ref().is_some_and(|page| row < page.end);
            let page = self.page_of(row)?;
            if !listed {
                values.pages.push(page.bytes.clone());
                listed = true;
            }
            let number = u32::try_from(values.pages.len() - 1).ok();
            let number = number.ok_or_else(|| refused("it has too many pages"))?;
            let place = page.seek(row)?;
            values.places.push(place.map(|(begin, end)| ValuePlace { page: number, begin, end }));
        }
        Ok(values)
    }

    /// The page that has a row; what lies between is passed over.
    fn page_of(&mut self, row: usize) -> ParquetResult<&mut OpenPage> {
        while self.page.as_ref().is_none_or(|page| page.end <= row) {
            self.page = self.next_page(row)?;
        }
        Ok(self.page.as_mut().expect("it was just opened"))
    }

    /// Goes on to the next page, and opens it if it has the row.
    fn next_page(&mut self, row: usize) -> ParquetResult<Option<OpenPage>> {
        let ends = || refused("its values end early");
        let rows = self.pages.peek_next_page()?.and_then(|page| page.num_rows).ok_or_else(ends)?;
        let begin = self.page_begin;
        self.page_begin += rows;
        if self.page_begin <= row {
            self.pages.skip_next_page()?;
            return Ok(None);
        }
        let page = self.pages.get_next_page()?.ok_or_else(ends)?;
        OpenPage::new(page, begin..self.page_begin).map(Some)
    }
}

impl OpenPage {
    fn new(page: Page, rows: std::ops::Range<usize>) -> ParquetResult<Self> {
        let Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } = page else {
            return Err(refused("a page of values is of another kind"));
        };
        let is_ours = encoding == Encoding::PLAIN && def_level_encoding == Encoding::RLE;
        if !is_ours || usize::try_from(num_values) != Ok(rows.len()) {
            return Err(refused("a page of values is encoded otherwise, or of other rows"));
        }
        let (levels_bytes, begin) = length_at(&buf, 0)?;
        let at = begin.checked_add(levels_bytes).filter(|at| *at <= buf.len());
        let at = at.ok_or_else(|| refused("a page of values ends within its levels"))?;
        let present = PresentRows::new(buf.slice(begin..at));
        Ok(Self { bytes: buf, present, at, row: rows.start, end: rows.end })
    }

    /// Where the value of `row` lies, if it has one: `row` has not been passed.
    fn seek(&mut self, row: usize) -> ParquetResult<Option<(u32, u32)>> {
        while self.row < row {
            self.next()?;
        }
        self.next()
    }

    /// Where the value of the next row lies, if it has one.
    fn next(&mut self) -> ParquetResult<Option<(u32, u32)>> {
        self.row += 1;
        if !self.present.next()? {
            return Ok(None);
        }
        let (length, begin) = length_at(&self.bytes, self.at)?;
        let end = begin.checked_add(length).filter(|end| *end <= self.bytes.len());
        self.at = end.ok_or_else(|| refused("a value reaches beyond its page"))?;
        let place = |at: usize| u32::try_from(at).map_err(|_| refused("a page is too long"));
        Ok(Some((place(begin)?, place(self.at)?)))
    }
}

impl PresentRows {
    fn new(runs: Bytes) -> Self {
        Self { runs, left: 0, run: LevelRun::Same(false) }
    }

    /// Whether the next row has a value.
    fn next(&mut self) -> ParquetResult<bool> {
        while self.left == 0 {
            self.next_run()?;
        }
        self.left -= 1;
        Ok(match &mut self.run {
            LevelRun::Same(present) => *present,
            LevelRun::Packed(bits, at) => {
                let bit = bits[*at / 8] >> (*at % 8) & 1;
                *at += 1;
                bit == 1
            }
        })
    }

    fn next_run(&mut self) -> ParquetResult<()> {
        let ends = || refused("the levels of a page end early");
        let mut header = 0_usize;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = *self.runs.first().ok_or_else(ends)?;
            let _ = self.runs.split_to(1);
            header |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if header & 1 == 0 {
            let level = *self.runs.first().ok_or_else(ends)?;
            let _ = self.runs.split_to(1);
            (self.left, self.run) = (header >> 1, LevelRun::Same(level == 1));
            return Ok(());
        }
        // A group has eight rows, which take a byte; the last may have fewer, and its byte is there
        // all the same.
        let groups = header >> 1;
        if groups > self.runs.len() {
            return Err(ends());
        }
        (self.left, self.run) = (groups * 8, LevelRun::Packed(self.runs.split_to(groups), 0));
        Ok(())
    }
}

/// The length that lies at a place in a page, and the place after it.
fn length_at(bytes: &Bytes, at: usize) -> ParquetResult<(usize, usize)> {
    let stored = bytes.get(at..).and_then(<[u8]>::first_chunk::<LENGTH_BYTES>);
    let stored = stored.ok_or_else(|| refused("a page of values ends within a length"))?;
    let length = usize::try_from(u32::from_le_bytes(*stored));
    Ok((length.expect("memory has at least 32 bits"), at + LENGTH_BYTES))
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("memory has at least 32 bits")
}

/// What a history file never has.
fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

#[cfg(test)]
mod tests;
