//! Words that look sensitive, found in free text: folded, whole words, several in a row where one alone says too
//! little. Negations are not understood: "denies abuse" speaks of abuse.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::sensitivity::Mask;

/// Longest word that is compared, and most words of one entry.
const WORD_MAX: usize = 32;
const ROW_MAX: usize = 6;

#[derive(Debug)]
pub struct Words {
    by_first: HashMap<String, Vec<Phrase>>,
    /// Lengths of first words by their first letter, one bit each: most words of a text are looked up nowhere.
    lengths: [u64; 256],
}

impl Default for Words {
    fn default() -> Words {
        Words { by_first: HashMap::new(), lengths: [0; 256] }
    }
}

#[derive(Debug)]
struct Phrase {
    rest: Vec<String>,
    mask: Mask,
}

impl Words {
    /// Whether an entry is one that can be found.
    pub fn reads(entry: &str) -> bool {
        let words = split(entry);
        (1..=ROW_MAX).contains(&words.len()) && words.iter().all(|word| word.len() <= WORD_MAX)
    }

    pub fn add(&mut self, entry: &str, mask: Mask) {
        let mut words = split(entry).into_iter();
        let Some(first) = words.next().filter(|first| first.len() <= WORD_MAX) else { return };
        let Some(letter) = first.bytes().next() else { return };
        self.lengths[usize::from(letter)] |= 1 << first.len();
        self.by_first.entry(first).or_default().push(Phrase { rest: words.collect(), mask });
    }

    /// Adds to `found` what the text speaks of, each entry's labels as one set. `is_markup`: tags are no words.
    pub fn find(&self, text: &str, is_markup: bool, found: &mut Vec<Mask>) {
        let mut begun: Vec<(&Phrase, usize)> = Vec::new();
        each_word(text, is_markup, &mut |word| {
            if !begun.is_empty() {
                begun.retain_mut(|(phrase, at)| {
                    let goes_on = phrase.rest.get(*at).is_some_and(|next| next.as_bytes() == word);
                    *at += 1;
                    if goes_on && *at == phrase.rest.len() {
                        add(found, phrase.mask);
                    }
                    goes_on && *at < phrase.rest.len()
                });
            }
            let Some(letter) = word.first() else { return };
            if self.lengths[usize::from(*letter)] >> word.len() & 1 == 0 {
                return;
            }
            let phrases = std::str::from_utf8(word).ok().and_then(|word| self.by_first.get(word));
            for phrase in phrases.into_iter().flatten() {
                if phrase.rest.is_empty() {
                    add(found, phrase.mask);
                } else {
                    begun.push((phrase, 0));
                }
            }
        });
    }
}

fn add(found: &mut Vec<Mask>, mask: Mask) {
    if !found.contains(&mask) {
        found.push(mask);
    }
}

fn split(entry: &str) -> Vec<String> {
    let mut words = Vec::new();
    each_word(entry, false, &mut |word| words.push(String::from_utf8_lossy(word).into_owned()));
    words
}

/// The words of a text: letters and digits without case and accents. One that is too long comes as what fits and one
/// letter more, and so is equal to none.
fn each_word(text: &str, is_markup: bool, visit: &mut impl FnMut(&[u8])) {
    let mut word = [0u8; WORD_MAX + 1];
    let mut length = 0;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        let letter = match letter {
            '&' if is_markup => {
                let (meant, behind) = entity(&text[at..]);
                if behind > 1 {
                    letters.nth(behind - 2);
                }
                meant.unwrap_or(' ')
            }
            '<' if is_markup => {
                letters.by_ref().find(|(_, letter)| *letter == '>');
                ' '
            }
            letter => letter,
        };
        let mut add = |letter: u8| {
            if length < word.len() {
                word[length] = letter;
                length += 1;
            }
        };
        let goes_on = match letter {
            'a'..='z' | '0'..='9' => {
                add(letter as u8);
                true
            }
            'A'..='Z' => {
                add(letter.to_ascii_lowercase() as u8);
                true
            }
            letter if letter.is_ascii() => false,
            letter => is_unseen(letter) || look_alikes(letter, &mut add),
        };
        if !goes_on && length > 0 {
            visit(&word[..length]);
            length = 0;
        }
    }
    if length > 0 {
        visit(&word[..length]);
    }
}

/// The character that `&eacute;` or `&#233;` means, and how many characters it takes; all of them are ASCII.
fn entity(text: &str) -> (Option<char>, usize) {
    let Some(end) = text.bytes().take(12).position(|byte| byte == b';') else { return (None, 1) };
    let Some(name) = text.get(1..end).filter(|name| name.is_ascii()) else { return (None, 1) };
    let letter = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            };
            code.and_then(char::from_u32)
        }
        None if matches!(name, "shy" | "zwj" | "zwnj" | "lrm" | "rlm") => Some('\u{ad}'),
        None => {
            let accented = ["acute", "grave", "circ", "uml", "tilde", "cedil"].iter().any(|end| name.ends_with(end));
            name.chars().next().filter(|_| accented)
        }
    };
    (letter, end + 1)
}

/// What no reader sees parts no word: soft hyphens, joiners, marks of direction and of byte order, tags; and an accent
/// by itself belongs to the letter before it.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
        || is_combining_mark(letter)
}

/// Adds the letters of English that a reader takes it for; answers whether there are any. Compatible forms (full-width,
/// mathematical, enclosed, ligatures) and accents go by Unicode's own decomposition, letters of other alphabets by
/// their looks.
fn look_alikes(letter: char, add: &mut impl FnMut(u8)) -> bool {
    let mut any = false;
    for part in std::iter::once(letter).nfkd() {
        let part = if part.is_ascii() {
            Some(part)
        } else {
            LOOKS.iter().find_map(|(alike, of)| of.contains(part).then_some(*alike))
        };
        if let Some(part) = part.filter(char::is_ascii_alphanumeric) {
            add(part.to_ascii_lowercase() as u8);
            any = true;
        }
    }
    any
}

/// Letters of other alphabets by the one that they look like (after Unicode's confusables, UTS 39): Cyrillic, Greek,
/// Armenian, Cherokee, Lisu, and Latin ones that do not decompose.
const LOOKS: [(char, &str); 26] = [
    ('a', "аАαΑɑᎪꓮ"),
    ('b', "вВВЬьβΒᏴꓐƀ"),
    ('c', "сСϲϹᏟꓚↄ"),
    ('d', "ԁԀᎠꓓđĐð"),
    ('e', "еЕєЄεΕᎬꓰҽ"),
    ('f', "ϝꓝƒ"),
    ('g', "ɡցᏀꓖԍ"),
    ('h', "нНһҺΗհᎻꓧħ"),
    ('i', "іІӀιΙɩıᎥꓲ"),
    ('j', "јЈϳᎫꓙ"),
    ('k', "кКκΚᏦꓗ"),
    ('l', "ӏᏞꓡłŁ"),
    ('m', "мМΜϺᎷꓟ"),
    ('n', "пηΝոꓠ"),
    ('o', "оОοΟσօՕꓳøØ"),
    ('p', "рРρΡᏢꓑ"),
    ('q', "ԛԚզ"),
    ('r', "гᎡᏒꓣ"),
    ('s', "ѕЅᏚꓢ"),
    ('t', "тТτΤᎢꓔ"),
    ('u', "υսꓴμ"),
    ('v', "ѵѴνᏙꓦ"),
    ('w', "ԝԜωᎳꓪ"),
    ('x', "хХχΧꓫ"),
    ('y', "уУүγΥᎽꓬ"),
    ('z', "ΖᏃꓜ"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_reader_sees_parts_no_word() {
        for text in ["H\u{ad}IV", "known H\u{200b}I\u{2060}V", "\u{feff}HIV"] {
            assert_eq!(found(text, false), [1], "{text:?}");
        }
        assert!(found("H IV", false).is_empty());
        assert_eq!(found("H&#8203;I&shy;V", true), [1]);
    }

    #[test]
    fn a_word_is_found_in_letters_that_look_alike() {
        for text in ["НΙѴ", "ＨＩＶ", "𝐇𝐈𝐕", "ⓗⓘⓥ", "Ꮋ\u{488}ІV", "H\u{36f}\u{fe0f}I\u{20dd}V", "ΗӀꓦ"]
        {
            assert_eq!(found(text, false), [1], "{text:?}");
        }
        assert_eq!(found("dоmеstiс viоlеnсе, &#x41d;IV", true), [2, 1]);
        assert!(found("нив, жив, шив", false).is_empty());
    }

    fn found(text: &str, is_markup: bool) -> Vec<Mask> {
        let mut words = Words::default();
        words.add("HIV", 1);
        words.add("domestic violence", 2);
        words.add("violación", 4);
        let mut found = Vec::new();
        words.find(text, is_markup, &mut found);
        found
    }

    #[test]
    fn whole_words_are_found_without_case_and_accents() {
        for (text, is_markup, expected) in [
            ("known HIV, on therapy", false, vec![1]),
            ("hiv-positive", false, vec![1]),
            ("shivering in the hive", false, vec![]),
            ("Domestic  violence; domestic abuse", false, vec![2]),
            ("domestic animals, violence", false, vec![]),
            ("domestic domestic violence", false, vec![2]),
            ("una VIOLACION, una violación, una violacio\u{301}n", false, vec![4]),
            ("<p class=\"hiv\">domestic<br/>violence</p>", true, vec![2]),
            ("<p>violaci&oacute;n &amp; violaci&#243;n</p>", true, vec![4]),
            ("<p>HIV", true, vec![1]),
            ("a < b HIV", true, vec![]),
            ("日本HIV", false, vec![1]),
            ("&", true, vec![]),
            ("&aaaaaaaaaaaaaaaaaaaaaaaa", true, vec![]),
        ] {
            assert_eq!(found(text, is_markup), expected, "{text}");
        }
    }
}
