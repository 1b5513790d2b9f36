//! The map as SVG, for a page.

use super::{MapInputs, Plane, Shape, ShapeKind};

/// The plane's place on the page, in pixels.
const LEFT: f64 = 90.0;
const TOP: f64 = 90.0;
const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 320.0;
/// The page.
const PAGE_WIDTH: f64 = LEFT + WIDTH + 40.0;
const PAGE_HEIGHT: f64 = TOP + HEIGHT + 170.0;
/// A base covers one commit, and must be seen.
const BASE_WIDTH: f64 = 5.0;
/// From a base to where it is known to hold: a thin line in the middle of its keys.
const HOLDS_HEIGHT: f64 = 2.0;
/// The narrowest delta that can be seen.
const SHAPE_WIDTH_MIN: f64 = 1.5;

/// Draws the map as a page of SVG.
pub(crate) fn svg(inputs: &MapInputs<'_>) -> String {
    let plane = Plane::new(inputs);
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {PAGE_WIDTH} {PAGE_HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(&mut page, (LEFT, 34.0), "font-size=\"18\"", &plane.heading);
    page.push_str(&format!(
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#f7f7f5\" \
         stroke=\"#999999\"/>\n"
    ));
    // Bases go on top of the veil: one that is older than the floor is there as it is needed.
    let is_base = |shape: &&Shape| matches!(shape.kind, ShapeKind::Base | ShapeKind::Holds);
    plane.shapes.iter().filter(|shape| !is_base(shape)).for_each(|shape| draw(&mut page, shape));
    given_up(&mut page, &plane);
    plane.shapes.iter().filter(is_base).for_each(|shape| draw(&mut page, shape));
    axes(&mut page, &plane);
    windows(&mut page, &plane);
    legend(&mut page, &plane);
    page.push_str("</svg>\n");
    page
}

fn draw(page: &mut String, shape: &Shape) {
    let (fill, stroke) = match shape.kind {
        ShapeKind::Delta => ("#9ecae1", "#4a7fa5"),
        ShapeKind::Base | ShapeKind::Holds => ("#d95f0e", "#8c3d09"),
        ShapeKind::Segment => ("#c7e9c0", "#5a9a57"),
    };
    let x = LEFT + shape.seq.0 * WIDTH;
    let width = ((shape.seq.1 - shape.seq.0) * WIDTH).max(SHAPE_WIDTH_MIN);
    let (x, width) = match shape.kind {
        ShapeKind::Base => (x - BASE_WIDTH / 2.0, BASE_WIDTH),
        _ => (x, width),
    };
    // The least key is at the bottom.
    let y = TOP + (1.0 - shape.keys.1) * HEIGHT;
    let height = ((shape.keys.1 - shape.keys.0) * HEIGHT).max(SHAPE_WIDTH_MIN);
    let (y, height) = match shape.kind {
        ShapeKind::Holds => (y + (height - HOLDS_HEIGHT) / 2.0, HOLDS_HEIGHT),
        _ => (y, height),
    };
    page.push_str(&format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
         fill=\"{fill}\" stroke=\"{stroke}\" fill-opacity=\"0.8\"><title>{}</title></rect>\n",
        escaped(&shape.title)
    ));
}

/// A veil over what can't be restored any more, which ends at the floor.
fn given_up(page: &mut String, plane: &Plane) {
    for ((from, to), title) in &plane.given_up {
        let (x, end) = (LEFT + from * WIDTH, LEFT + to * WIDTH);
        page.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{HEIGHT}\" fill=\"#ffffff\" \
             fill-opacity=\"0.75\"><title>{}</title></rect>\n\
             <line x1=\"{end:.1}\" x2=\"{end:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#a50f15\" \
             stroke-width=\"2\" stroke-dasharray=\"6 4\"/>\n",
            (end - x).max(SHAPE_WIDTH_MIN),
            escaped(title),
            TOP - 6.0,
            TOP + HEIGHT + 6.0
        ));
    }
}

fn axes(page: &mut String, plane: &Plane) {
    let bottom = TOP + HEIGHT;
    text(page, (LEFT, bottom + 18.0), "", "#1");
    let right = format!("#{}", plane.last);
    text(page, (LEFT + WIDTH, bottom + 18.0), "text-anchor=\"end\"", &right);
    text(page, (LEFT + WIDTH / 2.0, bottom + 18.0), "text-anchor=\"middle\"", "commits, in order");
    if let Some((least, greatest)) = &plane.keys {
        let short = |key: &str| key.chars().take(12).collect::<String>();
        text(page, (LEFT - 8.0, bottom), "text-anchor=\"end\"", &short(least));
        text(page, (LEFT - 8.0, TOP + 10.0), "text-anchor=\"end\"", &short(greatest));
    }
    text(page, (LEFT - 8.0, TOP + HEIGHT / 2.0), "text-anchor=\"end\"", "keys");
}

fn windows(page: &mut String, plane: &Plane) {
    let y = TOP + HEIGHT + 44.0;
    text(page, (LEFT - 8.0, y + 5.0), "text-anchor=\"end\"", "restorable");
    for ((from, to), title) in &plane.windows {
        let (x, width) = (LEFT + from * WIDTH, ((to - from) * WIDTH).max(SHAPE_WIDTH_MIN));
        page.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" fill=\"#31a354\">\
             <title>{}</title></rect>\n",
            y - 5.0,
            escaped(title)
        ));
    }
    if plane.windows.is_empty() {
        text(page, (LEFT, y + 5.0), "fill=\"#a50f15\"", "nothing: the table is not protected");
    }
    for ((from, to), _) in &plane.given_up {
        let (x, width) = (LEFT + from * WIDTH, ((to - from) * WIDTH).max(SHAPE_WIDTH_MIN));
        page.push_str(&format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"4\" fill=\"#a50f15\" \
             fill-opacity=\"0.35\"/>\n",
            y - 2.0
        ));
    }
    let given_up = plane.given_up.iter().map(|(_, title)| ("fill=\"#a50f15\"", title));
    let restorable = plane.windows.iter().map(|(_, title)| ("fill=\"#555555\"", title));
    for ((fill, title), line) in given_up.chain(restorable).zip(1_u32..) {
        text(page, (LEFT, y + 8.0 + 17.0 * f64::from(line)), fill, title);
    }
}

fn legend(page: &mut String, plane: &Plane) {
    let entries = [
        (0.0, "#d95f0e", "base: the newest row of each of its keys at one commit"),
        (395.0, "#9ecae1", "delta: every event of its commits"),
        (645.0, "#c7e9c0", "local segment, not sealed"),
    ];
    for (along, fill, meaning) in entries {
        let x = LEFT + along;
        page.push_str(&format!(
            "<rect x=\"{x}\" y=\"46\" width=\"12\" height=\"12\" fill=\"{fill}\"/>\n"
        ));
        text(page, (x + 18.0, 57.0), "", meaning);
    }
    if plane.shapes.iter().any(|shape| shape.kind == ShapeKind::Holds) {
        page.push_str(&format!(
            "<rect x=\"{LEFT}\" y=\"71\" width=\"12\" height=\"{HOLDS_HEIGHT}\" fill=\"#d95f0e\"/>\n"
        ));
        text(page, (LEFT + 18.0, 76.0), "", "its keys had no event up to here: it holds on");
    }
    if !plane.given_up.is_empty() {
        let (x, end) = (LEFT + 395.0, LEFT + 407.0);
        page.push_str(&format!(
            "<line x1=\"{x}\" x2=\"{end}\" y1=\"72\" y2=\"72\" stroke=\"#a50f15\" \
             stroke-width=\"2\" stroke-dasharray=\"5 2\"/>\n"
        ));
        text(page, (x + 18.0, 76.0), "", "floor: nothing left of it can be restored any more");
    }
}

fn text(page: &mut String, (x, y): (f64, f64), attributes: &str, content: &str) {
    page.push_str(&format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>\n",
        escaped(content)
    ));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
