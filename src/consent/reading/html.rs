//! A reading as XHTML: headings and lists, for a page, a printer, or a Narrative (FHIR R4 narrative.html).

use super::{Line, Reading};

impl Reading {
    /// The blocks as a fragment; headings are of the second level.
    pub fn html(&self) -> String {
        let mut html = String::new();
        for block in &self.blocks {
            html.push_str("<section class=\"reading\"><h2>");
            escape(&block.heading, &mut html);
            html.push_str("</h2>");
            lines(&block.lines, &mut html);
            html.push_str("</section>");
        }
        html
    }

    /// A whole page that needs nothing else.
    pub fn page(&self, style: &str) -> String {
        let mut title = String::new();
        escape(&self.title, &mut title);
        let language = self.language.code();
        let (name, date, hand) = (self.text_of("sign-name"), self.text_of("sign-date"), self.text_of("sign-hand"));
        let read = self.text_of("sign-read");
        format!(
            "<!DOCTYPE html><html lang=\"{language}\"><head><meta charset=\"utf-8\"/>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><title>{title}</title>\
             <style>{style}</style></head><body><main class=\"reading-page\"><h1>{title}</h1>{}\
             <section class=\"sign\"><p>{read}</p><p>{name}: <span class=\"blank\"></span></p>\
             <p>{hand}: <span class=\"blank\"></span></p><p>{date}: <span class=\"blank\"></span></p></section>\
             </main></body></html>",
            self.html()
        )
    }

    fn text_of(&self, key: &str) -> &'static str {
        self.language.text(key)
    }
}

fn lines(all: &[Line], html: &mut String) {
    if all.is_empty() {
        return;
    }
    html.push_str("<ul>");
    for line in all {
        html.push_str("<li>");
        escape(&line.text, html);
        lines(&line.below, html);
        html.push_str("</li>");
    }
    html.push_str("</ul>");
}

fn escape(text: &str, html: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            letter => html.push(letter),
        }
    }
}
