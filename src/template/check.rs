//! What a template may hold: lists of what is allowed, so that what a later engine learns is
//! refused until it is listed here.
//!
//! Twice, because the engine bounds too little before it renders (measured with minijinja 3.0.5):
//! its parser recurses for each `-`, and for each `(` after `set`, and 4 KiB of them take more than
//! half of a worker's stack; its compiler computes each `'a' * 100000000`. So the tokens are looked
//! at first, which needs no recursion and bounds that of the parser; then the syntax tree, which
//! nothing in a text can fool. Neither is in the engine's stable API: docs/decisions/0007-templates.md
//! says why both are used.

use std::collections::BTreeSet;

use minijinja::{
    Error,
    machinery::{
        Span, Token,
        ast::{BinOpKind, CallArg, Expr, Stmt, UnaryOpKind},
        parse, tokenize,
    },
};

use super::{Fault, MAX_TEMPLATE, SECRET, filters, syntax};

const LENGTH: &str = "it is longer than 4 KiB";
const SYNTAX: &str = "a tag, a text or a word in it is not as it must be";
const STATEMENT: &str = "the statements are if, elif, else, endif and raw";
const OPERATOR: &str = "the operators are ==, !=, and, or, not, and if with else";
const FILTER: &str = "the filters are b64decode, b64encode, default, lower, replace, tojson, trim, upper and urlencode";
pub(super) const ARGUMENTS: &str = "a filter does not take these arguments";
const TEST: &str = "the only test is \"is defined\"";
const KEY: &str = "a key is written as its name or as secret[\"name\"]";
const KIND: &str = "there are texts and whole numbers only, and no calls";
const SHAPE: &str = "a tag in it is too long or nested too deep";

/// How much one tag may hold, in tokens, and how deep brackets and branches may be nested.
const MAX_TOKENS: usize = 100;
const MAX_BRACKETS: usize = 8;
const MAX_BRANCHES: usize = 16;

/// The keys that a template names.
#[derive(Default)]
pub(super) struct Used {
    /// All of them.
    pub(super) keys: BTreeSet<String>,
    /// Those that are named where a key that is missing is an error.
    pub(super) required: BTreeSet<String>,
    /// Those whose text goes into what is made, where nothing asks before whether it is empty.
    pub(super) sent: BTreeSet<String>,
    /// What the branches ask for around what is looked at.
    tested: Vec<BTreeSet<String>>,
}

/// What becomes of an expression.
#[derive(Clone, Copy)]
struct Place {
    /// Whether a key that is missing is an error here.
    is_required: bool,
    /// Whether its text goes into what is made.
    is_sent: bool,
}

/// In a tag that is replaced by its text.
const TEXT: Place = Place {
    is_required: true,
    is_sent: true,
};
/// Where it is only asked what the text is.
const CONDITION: Place = Place {
    is_required: true,
    is_sent: false,
};
/// Where a key may be missing.
const OPTIONAL: Place = Place {
    is_required: false,
    is_sent: false,
};

/// Checks a template and tells which keys it names.
///
/// # Errors
/// [`Fault::Invalid`].
pub(super) fn check(source: &str) -> Result<Used, Fault> {
    if source.len() > MAX_TEMPLATE {
        return Err(Fault::Invalid {
            what: LENGTH,
            line: None,
        });
    }
    let mut shape = Shape::default();
    for token in tokenize(source, false, syntax()) {
        let (token, span) = token.map_err(|error| malformed(&error))?;
        shape.take(&token).map_err(|what| invalid(what, span))?;
    }
    let tree = parse(source, "", syntax()).map_err(|error| malformed(&error))?;
    let mut used = Used::default();
    used.statements(std::slice::from_ref(&tree))?;
    Ok(used)
}

fn invalid(what: &'static str, span: Span) -> Fault {
    Fault::Invalid {
        what,
        line: Some(usize::from(span.start_line)),
    }
}

fn malformed(error: &Error) -> Fault {
    Fault::Invalid {
        what: SYNTAX,
        line: error.line(),
    }
}

/// How long and how nested a template is, as far as its tokens were seen.
#[derive(Default)]
struct Shape {
    /// Tokens in this tag.
    tokens: usize,
    /// Brackets that are open in this tag.
    brackets: usize,
    /// Branches of each `if` that is open.
    branches: Vec<usize>,
    /// Whether the next token is the word of a statement.
    is_statement: bool,
}

impl Shape {
    fn take(&mut self, token: &Token<'_>) -> Result<(), &'static str> {
        self.tokens += 1;
        if std::mem::take(&mut self.is_statement) {
            return self.statement(token);
        }
        match token {
            Token::VariableStart | Token::BlockStart => {
                self.tokens = 0;
                self.brackets = 0;
                self.is_statement = matches!(token, Token::BlockStart);
            }
            Token::ParenOpen | Token::BracketOpen => self.brackets += 1,
            Token::ParenClose | Token::BracketClose => {
                self.brackets = self.brackets.saturating_sub(1);
            }
            Token::TemplateData(_)
            | Token::VariableEnd
            | Token::BlockEnd
            | Token::Ident(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Dot
            | Token::Comma
            | Token::Pipe
            | Token::Eq
            | Token::Ne => {}
            Token::Int128(_) | Token::Float(_) | Token::BraceOpen | Token::BraceClose => {
                return Err(KIND);
            }
            Token::Assign => return Err(ARGUMENTS),
            Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::FloorDiv
            | Token::Pow
            | Token::Mod
            | Token::Colon
            | Token::Tilde
            | Token::Gt
            | Token::Gte
            | Token::Lt
            | Token::Lte => return Err(OPERATOR),
        }
        if self.tokens > MAX_TOKENS || self.brackets > MAX_BRACKETS {
            return Err(SHAPE);
        }
        Ok(())
    }

    fn statement(&mut self, token: &Token<'_>) -> Result<(), &'static str> {
        match token {
            Token::Ident("if") => self.branches.push(1),
            Token::Ident("elif") => {
                if let Some(branches) = self.branches.last_mut() {
                    *branches += 1;
                }
            }
            Token::Ident("else") => {}
            Token::Ident("endif") => {
                self.branches.pop();
            }
            _ => return Err(STATEMENT),
        }
        if self.branches.iter().sum::<usize>() > MAX_BRANCHES {
            return Err(SHAPE);
        }
        Ok(())
    }
}

impl Used {
    fn statements(&mut self, statements: &[Stmt<'_>]) -> Result<(), Fault> {
        for statement in statements {
            match statement {
                Stmt::Template(template) => self.statements(&template.children)?,
                Stmt::EmitRaw(_) => {}
                Stmt::EmitExpr(emit) => self.expression(&emit.expr, TEXT)?,
                Stmt::IfCond(branch) => {
                    self.condition(&branch.expr)?;
                    self.statements(&branch.true_body)?;
                    self.statements(&branch.false_body)?;
                    self.tested.pop();
                }
                Stmt::ForLoop(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::WithBlock(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::Set(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::SetBlock(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::AutoEscape(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::FilterBlock(other) => return Err(invalid(STATEMENT, other.span())),
                Stmt::Do(other) => return Err(invalid(STATEMENT, other.span())),
            }
        }
        Ok(())
    }

    /// What is decided by: the keys in it are asked for until they are popped.
    fn condition(&mut self, expression: &Expr<'_>) -> Result<(), Fault> {
        let mut asked = Self::default();
        asked.expression(expression, CONDITION)?;
        self.keys.extend(asked.keys.iter().cloned());
        self.required.extend(asked.required);
        self.tested.push(asked.keys);
        Ok(())
    }

    fn expression(&mut self, expression: &Expr<'_>, place: Place) -> Result<(), Fault> {
        let refuse = |what| Err(invalid(what, expression.span()));
        match expression {
            Expr::Var(variable) if variable.id != SECRET => self.key(variable.id, place),
            Expr::GetAttr(get) if is_secret(&get.expr) => self.key(get.name, place),
            Expr::GetItem(get) if is_secret(&get.expr) => {
                let Expr::Const(subscript) = &get.subscript_expr else {
                    return refuse(KEY);
                };
                let Some(key) = subscript.value.as_str() else {
                    return refuse(KEY);
                };
                self.key(key, place);
            }
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => return refuse(KEY),
            Expr::Const(constant) if !constant.value.is_none() => {}
            Expr::UnaryOp(unary) if matches!(unary.op, UnaryOpKind::Not) => {
                self.expression(&unary.expr, CONDITION)?;
            }
            Expr::BinOp(binary) => match binary.op {
                BinOpKind::Eq | BinOpKind::Ne => {
                    self.expression(&binary.left, CONDITION)?;
                    self.expression(&binary.right, CONDITION)?;
                }
                BinOpKind::ScAnd | BinOpKind::ScOr => {
                    self.condition(&binary.left)?;
                    let is_required = true;
                    self.expression(
                        &binary.right,
                        Place {
                            is_required,
                            ..place
                        },
                    )?;
                    self.tested.pop();
                }
                _ => return refuse(OPERATOR),
            },
            Expr::IfExpr(branch) => {
                let Some(otherwise) = &branch.false_expr else {
                    return refuse(OPERATOR);
                };
                self.condition(&branch.test_expr)?;
                self.expression(&branch.true_expr, place)?;
                self.expression(otherwise, place)?;
                self.tested.pop();
            }
            Expr::Filter(filter) => {
                let known = filters::FILTERS.iter().find(|known| known.0 == filter.name);
                let (Some((_, least, most)), Some(subject)) = (known, &filter.expr) else {
                    return refuse(FILTER);
                };
                if !(*least..=*most).contains(&filter.args.len()) {
                    return refuse(ARGUMENTS);
                }
                let of_text = Place {
                    is_required: true,
                    ..place
                };
                // It says what an empty text is worth, too, and looks at its argument in any case.
                let (of_subject, of_argument) = if filter.name == filters::DEFAULT {
                    (OPTIONAL, CONDITION)
                } else {
                    (of_text, of_text)
                };
                self.expression(subject, of_subject)?;
                for argument in &filter.args {
                    let CallArg::Pos(argument) = argument else {
                        return refuse(ARGUMENTS);
                    };
                    self.expression(argument, of_argument)?;
                }
            }
            Expr::Test(test) => {
                if test.name != filters::DEFINED || !test.args.is_empty() {
                    return refuse(TEST);
                }
                self.expression(&test.expr, OPTIONAL)?;
            }
            Expr::UnaryOp(_) | Expr::Compare(_) | Expr::Slice(_) => return refuse(OPERATOR),
            Expr::Const(_) | Expr::Call(_) | Expr::List(_) | Expr::Tuple(_) | Expr::Map(_) => {
                return refuse(KIND);
            }
        }
        Ok(())
    }

    fn key(&mut self, key: &str, place: Place) {
        self.keys.insert(key.to_owned());
        if place.is_required {
            self.required.insert(key.to_owned());
        }
        if place.is_sent && !self.tested.iter().any(|tested| tested.contains(key)) {
            self.sent.insert(key.to_owned());
        }
    }
}

/// Whether this is the word under which every key can be reached.
fn is_secret(expression: &Expr<'_>) -> bool {
    matches!(expression, Expr::Var(variable) if variable.id == SECRET)
}
