//! What in a tip may name somebody: people, companies, amounts, phone numbers, addresses, and names of the reader's own list.
//!
//! Simple rules on the phone, before a tip is sent: they warn and forbid nothing, since only the author knows. Pure;
//! what they miss, readers report. Ranges are UTF-16 units of the text.

use std::ops::Range;

use super::search::{Query, find};

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// A person: 「田中さん」, or a name of the phone's own list.
    Person,
    /// A company: 「株式会社サンプル」.
    Company,
    /// An amount or share: 「300万円」, 「12%」.
    Amount,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

/// A place that the author should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it may be.
    pub kind: WarningKind,
    /// Where, in UTF-16 units.
    pub range: Range<u32>,
}

/// Longest name before an honorific, in letters: 「長谷川 健一郎」 has seven.
const MAX_NAME: usize = 12;
/// A phone number in Japan has 10 or 11 digits, with its country's code up to 12.
const PHONE_DIGITS: Range<usize> = 10..14;

const HONORIFICS: [&str; 4] = ["さん", "様", "氏", "くん"];
/// People who are nobody in particular, before an honorific.
const ANYBODY: [&str; 36] = [
    "皆",
    "客",
    "奥",
    "娘",
    "息子",
    "母",
    "父",
    "兄",
    "姉",
    "弟",
    "妹",
    "祖父",
    "祖母",
    "旦那",
    "新人",
    "社員",
    "店員",
    "上司",
    "本人",
    "相手",
    "担当",
    "担当者",
    "先輩",
    "後輩",
    "学生",
    "仲間",
    "全員",
    "患者",
    "利用者",
    "参加者",
    "メンバー",
    "マネジャー",
    "リーダー",
    "パート",
    "スタッフ",
    "神",
];
/// Words that end like an honorific.
const NO_HONORIFIC: [&str; 16] = [
    "同様", "多様", "模様", "仕様", "一様", "異様", "両様", "文様", "左様", "今様", "有様", "貴様", "王様", "彼氏",
    "両氏", "諸氏",
];
/// What follows an honorific that is none: 「様子」, 「氏名」.
const NOT_BEFORE: [(&str, &str); 3] = [("様", "々子式相態変"), ("氏", "名族神"), ("くん", "だ")];

const COMPANIES: [&str; 15] = [
    "株式会社",
    "有限会社",
    "合同会社",
    "(株)",
    "（株）",
    "㈱",
    "(有)",
    "（有）",
    "㈲",
    "Inc",
    "Ltd",
    "INC",
    "LTD",
    "inc",
    "ltd",
];

/// Looks a tip over; `names` are those of the phone's own list, as people write them.
pub fn tip_warnings<S: AsRef<str>>(text: &str, names: &[S]) -> Vec<Warning> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = emails(&letters);
    found.extend(phones(&letters));
    found.extend(amounts(&letters));
    found.extend(companies(&letters));
    found.extend(people(&letters));
    let offsets = offsets(&letters);
    let in_units =
        |(kind, range): (WarningKind, Range<usize>)| Warning { kind, range: offsets[range.start]..offsets[range.end] };
    let mut warnings: Vec<Warning> = found.into_iter().map(in_units).collect();
    warnings.extend(names.iter().flat_map(|name| known_name(text, &letters, &offsets, name.as_ref())));
    apart(warnings)
}

type Place = (WarningKind, Range<usize>);

/// Where each letter begins in UTF-16 units, and where the last one ends.
fn offsets(letters: &[char]) -> Vec<u32> {
    let mut offsets = Vec::with_capacity(letters.len() + 1);
    let mut units = 0;
    for letter in letters {
        offsets.push(units);
        units += if letter.len_utf16() == 2 { 2 } else { 1 };
    }
    offsets.push(units);
    offsets
}

/// In order, and those that touch the same letters as one, under the name of the first.
fn apart(mut warnings: Vec<Warning>) -> Vec<Warning> {
    warnings.sort_by_key(|warning| (warning.range.start, std::cmp::Reverse(warning.range.end), warning.kind));
    let mut apart: Vec<Warning> = Vec::with_capacity(warnings.len());
    for warning in warnings {
        match apart.last_mut() {
            Some(last) if warning.range.start < last.range.end => {
                last.range.end = last.range.end.max(warning.range.end);
            }
            _ => apart.push(warning),
        }
    }
    apart
}

/// Every place where `word` stands.
fn places(letters: &[char], word: &str) -> Vec<Range<usize>> {
    let word: Vec<char> = word.chars().collect();
    let windows = letters.windows(word.len()).enumerate();
    windows.filter(|(_, window)| *window == word).map(|(start, _)| start..start + word.len()).collect()
}

/// How many letters before `end` are of this kind.
fn run_before(letters: &[char], end: usize, is_of: impl Fn(char) -> bool) -> usize {
    letters[..end].iter().rev().take_while(|letter| is_of(**letter)).count()
}

/// How many letters from `start` on are of this kind.
fn run_after(letters: &[char], start: usize, is_of: impl Fn(char) -> bool) -> usize {
    letters[start..].iter().take_while(|letter| is_of(**letter)).count()
}

const fn is_kanji(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '々' | '〆' | 'ヶ')
}

const fn is_katakana(letter: char) -> bool {
    matches!(letter, 'ァ'..='ヺ' | 'ー' | '・')
}

const fn is_latin(letter: char) -> bool {
    letter.is_ascii_alphabetic() || matches!(letter, 'Ａ'..='Ｚ' | 'ａ'..='ｚ')
}

fn is_space(letter: char) -> bool {
    letter == ' ' || letter == '\u{3000}'
}

/// The length of the name that ends at `end`: letters of one script, and a second word before a space.
fn name_before(letters: &[char], end: usize) -> usize {
    let scripts: [fn(char) -> bool; 3] = [is_kanji, is_katakana, is_latin];
    let word = |end: usize| scripts.iter().map(|is_of| run_before(letters, end, is_of)).max().unwrap_or(0);
    let given = word(end);
    let before = end - given;
    if given == 0 || before == 0 || !is_space(letters[before - 1]) {
        return given;
    }
    match word(before - 1) {
        0 => given,
        family => family + 1 + given,
    }
}

/// A word of one letter ends many a family name: 「石神さん」 is somebody, 「神様」 is not.
fn is_anybody(name: &str, anybody: &str) -> bool {
    name == anybody || (anybody.chars().nth(1).is_some() && name.ends_with(anybody))
}

fn people(letters: &[char]) -> Vec<Place> {
    let mut found = Vec::new();
    for honorific in HONORIFICS {
        for place in places(letters, honorific) {
            let length = name_before(letters, place.start);
            let name: String = letters[place.start - length..place.start].iter().collect();
            let whole = format!("{name}{honorific}");
            let next = letters.get(place.end);
            let is_word = NOT_BEFORE
                .iter()
                .any(|(word, after)| *word == honorific && next.is_some_and(|next| after.contains(*next)));
            let is_nobody =
                ANYBODY.iter().any(|it| is_anybody(&name, it)) || NO_HONORIFIC.iter().any(|it| whole.ends_with(it));
            // One Latin letter stands for somebody on purpose: 「Aさん」.
            let is_initial = length == 1 && is_latin(letters[place.start - 1]);
            if (1..=MAX_NAME).contains(&length) && !is_word && !is_nobody && !is_initial {
                found.push((WarningKind::Person, place.start - length..place.end));
            }
        }
    }
    found
}

fn companies(letters: &[char]) -> Vec<Place> {
    let is_name =
        |letter: char| is_kanji(letter) || is_katakana(letter) || letter.is_alphanumeric() && !is_hiragana(letter);
    let mut found = Vec::new();
    for mark in COMPANIES {
        for place in places(letters, mark) {
            if mark.is_ascii() && mark.chars().all(char::is_alphabetic) {
                let is_part = |at: Option<&char>| at.is_some_and(|letter| letter.is_ascii_alphanumeric());
                let before = place.start.checked_sub(1).and_then(|at| letters.get(at));
                if is_part(before) || is_part(letters.get(place.end)) {
                    continue;
                }
                let gap = run_before(letters, place.start, |letter| matches!(letter, ' ' | ',' | '.'));
                let name = run_before(letters, place.start - gap, is_name);
                found.push((WarningKind::Company, place.start - gap - name..place.end));
            } else {
                let before = run_before(letters, place.start, is_name);
                let after = run_after(letters, place.end, is_name);
                found.push((WarningKind::Company, place.start - before..place.end + after));
            }
        }
    }
    found
}

const fn is_hiragana(letter: char) -> bool {
    matches!(letter, '\u{3041}'..='\u{309f}')
}

const fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, '０'..='９')
}

const fn is_numeral(letter: char) -> bool {
    matches!(
        letter,
        '一' | '二'
            | '三'
            | '四'
            | '五'
            | '六'
            | '七'
            | '八'
            | '九'
            | '十'
            | '百'
            | '千'
            | '万'
            | '億'
            | '兆'
            | '数'
    )
}

fn amounts(letters: &[char]) -> Vec<Place> {
    let is_figure = |letter| is_digit(letter) || is_numeral(letter) || matches!(letter, ',' | '，' | '.' | '．');
    let mut found = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let length = run_after(letters, at, is_figure);
        if length == 0 {
            at += 1;
            continue;
        }
        let (figures, end) = (&letters[at..at + length], at + length);
        let has_digit = figures.iter().any(|letter| is_digit(*letter));
        let has_great = figures.iter().any(|letter| matches!(letter, '億' | '兆'));
        let numerals = figures.iter().filter(|letter| is_numeral(**letter)).count();
        match letters.get(end) {
            Some('円') if has_digit || numerals > 1 => found.push((WarningKind::Amount, at..end + 1)),
            Some('%' | '％') if has_digit => found.push((WarningKind::Amount, at..end + 1)),
            _ if has_digit && has_great => found.push((WarningKind::Amount, at..end)),
            _ => {}
        }
        at = end;
    }
    found
}

fn phones(letters: &[char]) -> Vec<Place> {
    let is_part = |letter| {
        is_digit(letter) || matches!(letter, '-' | '‐' | '－' | 'ー' | '(' | ')' | '（' | '）' | ' ' | '+' | '＋')
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let length = run_after(letters, at, is_part);
        let part = &letters[at..at + length];
        let first = part.iter().position(|letter| is_digit(*letter) || matches!(letter, '+' | '＋'));
        let last = part.iter().rposition(|letter| is_digit(*letter));
        if let (Some(first), Some(last)) = (first, last) {
            let digits = part.iter().filter(|letter| is_digit(**letter)).count();
            let may_begin = matches!(part[first], '0' | '０' | '+' | '＋');
            if may_begin && PHONE_DIGITS.contains(&digits) {
                found.push((WarningKind::Phone, at + first..at + last + 1));
            }
        }
        at += length.max(1);
    }
    found
}

fn emails(letters: &[char]) -> Vec<Place> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '+' | '%');
    let mut found = Vec::new();
    for (at, _) in letters.iter().enumerate().filter(|(_, letter)| matches!(letter, '@' | '＠')) {
        let (before, mut after) = (run_before(letters, at, is_part), run_after(letters, at + 1, is_part));
        while after > 0 && !letters[at + after].is_ascii_alphanumeric() {
            after -= 1;
        }
        let domain = &letters[at + 1..at + 1 + after];
        if before > 0 && domain.contains(&'.') {
            found.push((WarningKind::Email, at - before..at + 1 + after));
        }
    }
    found
}

/// Where a name of the list, or one of its words of at least two letters, stands in the text however it is typed.
fn known_name(text: &str, letters: &[char], offsets: &[u32], name: &str) -> Vec<Warning> {
    let words = name.split_whitespace().filter(|word| word.chars().nth(1).is_some());
    let joined: String = name.split_whitespace().collect();
    let mut warnings = Vec::new();
    for word in words.chain([joined.as_str()].into_iter().filter(|joined| joined.chars().nth(1).is_some())) {
        let Ok(query) = Query::parse(word) else { continue };
        for found in find(&query, &[text]) {
            let whole = found.ranges.into_iter().filter(|range| !is_inside_word(letters, offsets, range));
            warnings.extend(whole.map(|range| Warning { kind: WarningKind::Person, range }));
        }
    }
    warnings
}

/// Whether a Latin name is only a part of another word: 「Ken」 in 「token」.
fn is_inside_word(letters: &[char], offsets: &[u32], range: &Range<u32>) -> bool {
    let index = |units: u32| offsets.partition_point(|offset| *offset < units);
    let (start, end) = (index(range.start), index(range.end));
    let is_split = |left: Option<&char>, right: Option<&char>| {
        left.zip(right).is_some_and(|(left, right)| is_latin(*left) && is_latin(*right))
    };
    let before = start.checked_sub(1).and_then(|at| letters.get(at));
    let last = end.checked_sub(1).and_then(|at| letters.get(at));
    is_split(before, letters.get(start)) || is_split(last, letters.get(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROSTER: [&str; 3] = ["田中 葵", "佐藤 健一", "Ken Mori"];

    fn check(text: &str, expected: &[(WarningKind, &str)]) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let word = |it: &Warning| {
            let range = usize::try_from(it.range.start).unwrap()..usize::try_from(it.range.end).unwrap();
            (it.kind, String::from_utf16(&units[range]).unwrap())
        };
        let found: Vec<_> = tip_warnings(text, &ROSTER).iter().map(word).collect();
        let expected: Vec<_> = expected.iter().map(|(kind, word)| (*kind, (*word).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn people_companies_and_figures_are_marked() {
        use WarningKind::{Amount, Company, Email, Person, Phone};
        check("山本さんに聞いた。", &[(Person, "山本さん")]);
        check(
            "🎉山本 太郎様と鈴木氏、ケンジくん",
            &[(Person, "山本 太郎様"), (Person, "鈴木氏"), (Person, "ケンジくん")],
        );
        check("Suzukiさんとの話", &[(Person, "Suzukiさん")]);
        check("株式会社サンプルの件", &[(Company, "株式会社サンプル")]);
        check(
            "見本商事（株）と有限会社山、㈱川",
            &[(Company, "見本商事（株）"), (Company, "有限会社山"), (Company, "㈱川")],
        );
        check("with Sample Inc. and Sample Co., Ltd.", &[(Company, "Sample Inc"), (Company, "Co., Ltd")]);
        check("SAMPLE CO., LTD.", &[(Company, "CO., LTD")]);
        check("石神さんと神様", &[(Person, "石神さん")]);
        check(
            "300万円と3億、１２％、1,200円",
            &[(Amount, "300万円"), (Amount, "3億"), (Amount, "１２％"), (Amount, "1,200円")],
        );
        check("三千万円の案件", &[(Amount, "三千万円")]);
        check("03-1234-5678か09012345678へ", &[(Phone, "03-1234-5678"), (Phone, "09012345678")]);
        check("連絡は a.b@example.co.jp。", &[(Email, "a.b@example.co.jp")]);
    }

    #[test]
    fn names_of_the_own_list_are_found_without_an_honorific_and_once() {
        use WarningKind::Person;
        check("田中に聞くとよい", &[(Person, "田中")]);
        check("田中葵さんの例", &[(Person, "田中葵さん")]);
        check("健一の話", &[(Person, "健一")]);
        check("Kenに聞く。tokenは別", &[(Person, "Ken")]);
        check("葵の花", &[]);
    }

    #[test]
    fn a_tip_that_names_nobody_is_left_alone() {
        for text in [
            "皆さん、お客様、お疲れ様、たくさんの人、Aさんの場合",
            "様子を見る。同様に、多様な仕様、氏名は書かない。",
            "5年後より「この3か月で試せること」から。",
            "沈黙を10秒数える。7秒目くらいで本題が出てくることが多い。",
            "1on1は30分。一円を笑わない。十分に聞く。",
            "Include the team; limited time.",
        ] {
            check(text, &[]);
        }
        for tip in &super::super::catalog::Catalog::built_in().tips {
            check(&tip.text.ja, &[]);
            check(&tip.text.en, &[]);
        }
    }
}
